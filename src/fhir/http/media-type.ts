import { AppError } from '../../shared/index.ts';
import type { FhirHttpRequest } from './message.ts';

const JSON_TYPES = ['application/fhir+json', 'application/json', 'application/json+fhir'];
const ACCEPTED: ReadonlySet<string> = new Set([...JSON_TYPES, 'application/*', '*/*']);
const FORMATS: ReadonlySet<string> = new Set([...JSON_TYPES, 'json']);
const FORM = 'application/x-www-form-urlencoded';
const PATCH_TYPES: ReadonlySet<string> = new Set([...JSON_TYPES, 'application/json-patch+json']);
const BODY_TYPES: ReadonlySet<string> = new Set(JSON_TYPES);
const SEARCH_TYPES: ReadonlySet<string> = new Set([FORM]);

/** R4 http, "content types": only JSON is spoken here, and who sends or asks for something else is told so. */
export function requireFhirJson(request: FhirHttpRequest): void {
  const sent = mediaTypesOf(request.headers['content-type'])[0];
  if (
    request.body !== undefined &&
    request.body.length > 0 &&
    sent !== undefined &&
    !bodyTypes(request).has(sent)
  )
    throw new AppError('unsupported-media-type', 'Send application/fhir+json (UTF-8).');
  if (isAnswerAccepted(request)) return;
  throw new AppError('not-acceptable', 'The answer can only be application/fhir+json. Ask for that.');
}

function bodyTypes({ method, path }: FhirHttpRequest): ReadonlySet<string> {
  if (method === 'PATCH') return PATCH_TYPES;
  return path.endsWith('/_search') ? SEARCH_TYPES : BODY_TYPES;
}

/** `_format` counts more than Accept. */
function isAnswerAccepted({ query, headers }: FhirHttpRequest): boolean {
  const format = new URLSearchParams(query).get('_format')?.replace(' ', '+');
  if (format !== undefined) return FORMATS.has(mediaTypesOf(format)[0] ?? 'json');
  const accepted = mediaTypesOf(headers.accept);
  return accepted.length === 0 || accepted.some((type) => ACCEPTED.has(type));
}

/** Without their parameters, in lower case (RFC 9110, 8.3.1 and 12.5.1). */
function mediaTypesOf(header: string | undefined): string[] {
  return (header ?? '')
    .split(',')
    .map((type) => (type.split(';')[0] ?? '').trim().toLowerCase())
    .filter((type) => type !== '');
}
