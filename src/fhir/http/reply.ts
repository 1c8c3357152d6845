import type { Resource } from '@medplum/fhirtypes';
import type { SealedRecord } from '../../vault/index.ts';
import { namesVersion } from '../repository/write-preconditions.ts';
import type { FhirHttpReply, FhirHttpRequest } from './message.ts';

/** What an interaction came to: a resource, or a text: of a version as it is stored, or of what is no record. */
export type Answer =
  | { status: number; resource?: Resource; location?: string }
  | { status: number; text: string; version?: Pick<SealedRecord, 'key' | 'lastUpdatedMs'> };

const FHIR_JSON = 'application/fhir+json; charset=utf-8';
/** Clients give up on header sections over 16 KiB; the rest of the headers needs little. */
const MAX_PROMISE_CHARACTERS = 12_288;
/**
 * How long a promise is tells how many entries were logged with it, of what is hidden too; so it must not decide how many
 * there are. This many fit as long as fewer than a thousand entries share a flush.
 */
const MAX_PROMISES = 6;

const DONE = JSON.stringify({
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'information', code: 'informational' }],
});

/** When to come back after `429` and `503` (RFC 9110, 10.2.3). */
const RETRY_AFTER_SECONDS = '5';

/** The answer as HTTP has it (R4 http, "managing resource contention", "create", "Prefer"). */
export function replyOf(
  baseUrl: string,
  request: FhirHttpRequest,
  promises: readonly string[],
  answer: Answer,
): FhirHttpReply {
  const { versionId, lastUpdated } = versionOf(answer);
  const headers: Record<string, string> = { 'content-type': FHIR_JSON };
  if (versionId !== undefined) headers.etag = `W/"${versionId}"`;
  if (lastUpdated !== undefined) headers['last-modified'] = new Date(lastUpdated).toUTCString();
  if ('location' in answer && answer.location !== undefined)
    headers.location = `${baseUrl}/${answer.location}/_history/${versionId}`;
  if (answer.status === 429 || answer.status === 503) headers['retry-after'] = RETRY_AFTER_SECONDS;
  const fitting = promisesThatFit(promises);
  if (fitting !== '') headers['careledger-log-promise'] = fitting;
  if (isNotModified(request, versionId)) return { status: 304, headers, body: '' };
  return { status: answer.status, headers, body: 'text' in answer ? answer.text : bodyOf(request, answer) };
}

function versionOf(answer: Answer): {
  versionId?: string | undefined;
  lastUpdated?: string | number | undefined;
} {
  if ('text' in answer) {
    const { version } = answer;
    return version === undefined
      ? {}
      : { versionId: String(version.key.version), lastUpdated: version.lastUpdatedMs };
  }
  const { resource } = answer;
  const versionId = resource?.resourceType === 'Bundle' ? undefined : resource?.meta?.versionId;
  return { versionId, lastUpdated: resource?.meta?.lastUpdated };
}

/** The first promises of a request. An answer with very many decisions, such as a bundle's, carries those that fit. */
export function promisesThatFit(promises: readonly string[]): string {
  let text = '';
  for (const promise of promises.slice(0, MAX_PROMISES)) {
    const longer = text === '' ? promise : `${text},${promise}`;
    if (longer.length > MAX_PROMISE_CHARACTERS) return text;
    text = longer;
  }
  return text;
}

/** RFC 9110 section 13.1.2; the read has been decided and logged like any other. */
function isNotModified(request: FhirHttpRequest, versionId: string | undefined): boolean {
  const condition = request.headers['if-none-match'];
  return (
    (request.method === 'GET' || request.method === 'HEAD') &&
    versionId !== undefined &&
    condition !== undefined &&
    namesVersion(condition, versionId)
  );
}

function bodyOf(
  request: FhirHttpRequest,
  { status, resource }: Extract<Answer, { resource?: Resource }>,
): string {
  if (resource === undefined || status === 204) return '';
  // A search, and a bundle of interactions, are asked for their answer.
  const isWrite = request.method !== 'GET' && !/(?:^\/*|\/_search)$/.test(request.path);
  const prefer =
    !isWrite || status >= 400
      ? undefined
      : /return=(minimal|OperationOutcome)/.exec(request.headers.prefer ?? '')?.[1];
  if (prefer === 'minimal') return '';
  if (prefer === 'OperationOutcome') return DONE;
  return JSON.stringify(resource);
}
