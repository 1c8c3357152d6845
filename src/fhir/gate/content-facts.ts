import {
  ACCOUNT_URN,
  type DataTime,
  END_OF_TIME_MS,
  parseDateTime,
  type RequestResource,
  START_OF_DATA_MS,
} from '../../contracts/index.ts';
import { type InnerResource, innerResourcesOf } from '../labels/inner-resources.ts';
import {
  codingsOf,
  forEachObject,
  isObject,
  type Json,
  type JsonObject,
  localReferencesOf,
} from '../labels/resource-walk.ts';

/** The facts of a decision that only the content tells. */
export type ContentFacts = Pick<
  RequestResource,
  'codes' | 'references' | 'authors' | 'dataTimeMs' | 'dataEndMs' | 'within'
>;

/** Elements that say who is behind the content, over all types. */
const AUTHOR_ELEMENTS: ReadonlySet<string> = new Set([
  'assessor', 'asserter', 'attester', 'author', 'authority', 'enterer', 'expressedBy', 'informationSource', 'insurer', 'interpreter',
  'operator', 'orderer', 'payor', 'performer', 'prescriber', 'recorder', 'requester', 'resultsInterpreter', 'sender', 'source',
]); // biome-ignore format: a list of names

/** At any depth, who had a hand in a part: what R4 maps to FiveWs.author, source, actor or witness, but for who only received it. */
const HAND_ELEMENTS: ReadonlySet<string> = new Set([
  ...AUTHOR_ELEMENTS,
  'agent', 'authenticator', 'careTeam', 'collector', 'contributor', 'observer', 'owner', 'paymentIssuer', 'practitioner',
  'principalInvestigator', 'provider', 'reporter', 'requestor', 'responsible', 'signer',
]); // biome-ignore format: a list of names

/** Elements that say when the content is from, the clinically most relevant first; `[x]` stands for a type. */
const TIME_ELEMENTS = [
  'effective[x]', 'occurrence[x]', 'performed[x]', 'onset[x]', 'period', 'billablePeriod', 'serviced[x]', 'started', 'start',
  'whenHandedOver', 'authoredOn', 'recordedDate', 'dateAsserted', 'date', 'created', 'issued', 'dateTime', 'recorded', 'sent',
]; // biome-ignore format: a list of names

/**
 * Facts of a resource. `author` is the account that wrote the version, where the vault knows it. `ownBase` is this server's
 * address, which references may begin with.
 */
export function contentFacts(resource: JsonObject, author: string | null, ownBase: string): ContentFacts {
  const authors = [...AUTHOR_ELEMENTS].flatMap((element) => localReferencesOf(resource[element], ownBase));
  if (author !== null) authors.push(ACCOUNT_URN + author);
  const references = localReferencesOf(resource, ownBase);
  const within = heldContent(resource, ownBase);
  const time = timeSaidBy(resource);
  return {
    codes: codingsOf(resource),
    references,
    authors,
    within,
    ...(time !== undefined && time !== 'unreadable' && { dataTimeMs: time.fromMs, dataEndMs: time.lastMs }),
  };
}

function heldContent(resource: JsonObject, ownBase: string): NonNullable<ContentFacts['within']> {
  const inner = innerResourcesOf(resource, ownBase);
  return {
    types: [...new Set(inner.map(typeOf))],
    resources: inner.flatMap(({ name }) => name ?? []),
    authors: handsIn(resource, ownBase),
    referredBy: [],
    times: inner.flatMap((held) => timeSaidBy(held.resource) ?? []).map(asTime),
  };
}

const typeOf = ({ resource }: InnerResource): string => String(resource.resourceType);

function handsIn(resource: JsonObject, ownBase: string): string[] {
  const hands = new Set<string>();
  forEachObject(resource, (object) => {
    for (const [element, value] of Object.entries(object))
      if (HAND_ELEMENTS.has(element))
        for (const reference of localReferencesOf(value, ownBase)) hands.add(reference);
  });
  return [...hands];
}

/**
 * By the first element that is there; undefined where none is. What it says and nobody can read might be any time: a less
 * relevant one is no answer.
 */
function timeSaidBy(resource: JsonObject): DataTime | 'unreadable' | undefined {
  const present = new Set(Object.keys(resource).map((name) => name.replace(/^_/, '')));
  for (const element of TIME_ELEMENTS) {
    const names = namesOf(element, present);
    if (names.length > 0)
      return (names.length === 1 ? timeOf(resource[names[0] as string]) : undefined) ?? 'unreadable';
  }
  return undefined;
}

function asTime(said: DataTime | 'unreadable'): DataTime {
  return said === 'unreadable' ? { fromMs: START_OF_DATA_MS, lastMs: END_OF_TIME_MS - 1 } : said;
}

function namesOf(element: string, present: ReadonlySet<string>): string[] {
  if (!element.endsWith('[x]')) return present.has(element) ? [element] : [];
  const stem = element.slice(0, -'[x]'.length);
  return [...present].filter((name) => name.startsWith(stem) && /^[A-Z]/.test(name.slice(stem.length)));
}

/** From the first to the last millisecond that the value covers. A period without a start or an end is open there. */
function timeOf(value: Json | undefined): DataTime | undefined {
  const [start, end] = isObject(value) ? [value.start, value.end] : [value, value];
  if (start === undefined && end === undefined) return undefined;
  const first = start === undefined ? START_OF_DATA_MS : parseDateTime(start)?.startMs;
  const afterLast = end === undefined ? END_OF_TIME_MS : parseDateTime(end)?.endMs;
  if (first === undefined || afterLast === undefined) return undefined;
  return { fromMs: first, lastMs: Math.max(first, afterLast - 1) };
}
