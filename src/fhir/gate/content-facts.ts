import { ACCOUNT_URN, parseDateTime, type RequestResource } from '../../contracts/index.ts';
import {
  codingsOf,
  isObject,
  type Json,
  type JsonObject,
  localReferencesOf,
} from '../labels/resource-walk.ts';

/** The facts of a decision that only the content tells. */
export type ContentFacts = Pick<
  RequestResource,
  'codes' | 'references' | 'authors' | 'dataTimeMs' | 'dataEndMs'
>;

/** Elements that say who is behind the content, over all types. */
const AUTHOR_ELEMENTS = [
  'asserter',
  'attester',
  'author',
  'authority',
  'informationSource',
  'performer',
  'recorder',
  'requester',
  'sender',
  'source',
];

/** Elements that say when the content is from, the clinically most relevant first. */
const TIME_ELEMENTS = [
  'effectivePeriod', 'effectiveDateTime', 'effectiveInstant', 'occurrencePeriod', 'occurrenceDateTime', 'performedPeriod',
  'performedDateTime', 'onsetPeriod', 'onsetDateTime', 'period', 'billablePeriod', 'servicedPeriod', 'servicedDate', 'started', 'start',
  'whenHandedOver', 'authoredOn', 'recordedDate', 'dateAsserted', 'date', 'created', 'issued', 'dateTime', 'recorded', 'sent',
]; // biome-ignore format: a list of names

/**
 * Facts of a resource. `author` is the account that wrote the version, where the vault knows it. `ownBase` is this server's
 * address, which references may begin with.
 */
export function contentFacts(resource: JsonObject, author: string | null, ownBase: string): ContentFacts {
  const authors = AUTHOR_ELEMENTS.flatMap((element) => localReferencesOf(resource[element], ownBase));
  if (author !== null) authors.push(ACCOUNT_URN + author);
  const references = localReferencesOf(resource, ownBase);
  return { codes: codingsOf(resource), references, authors, ...dataTime(resource) };
}

function dataTime(resource: JsonObject): Pick<RequestResource, 'dataTimeMs' | 'dataEndMs'> {
  for (const element of TIME_ELEMENTS) {
    const time = timeOf(resource[element]);
    if (time !== undefined) return time;
  }
  return {};
}

/** From the first to the last millisecond that the value covers; a period still open ends where it starts to be unknown. */
function timeOf(value: Json | undefined): { dataTimeMs: number; dataEndMs: number } | undefined {
  const [start, end] = isObject(value) ? [value.start, value.end] : [value, value];
  const first = parseDateTime(start);
  const last = parseDateTime(end) ?? first;
  if (first === undefined || last === undefined) return undefined;
  return { dataTimeMs: first.startMs, dataEndMs: Math.max(first.startMs, last.endMs - 1) };
}
