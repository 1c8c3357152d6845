import { AppError } from '../../shared/index.ts';
import type { NodeSession } from '../auth/token-endpoint.ts';
import type { NodeRuntime } from '../runtime.ts';

type Json = Record<string, unknown>;

/** What an import did, and of what it refused. */
export interface ImportResult extends Json {
  created: number;
  updated: number;
  unchanged: number;
}

/** The custodian itself, taking data in: it may write and not read. */
export function custodianSession({ custodian }: NodeRuntime): NodeSession {
  return { accountId: custodian.accountHex, kind: 'organisation', organisation: custodian.accountHex, roles: [], purpose: 'HOPERAT' };
}

/** Takes a Bundle in as one transaction. Resources keep their ids, so that importing it again changes nothing. */
export async function importBundle(runtime: NodeRuntime, bundle: Json): Promise<ImportResult> {
  const transaction = { resourceType: 'Bundle', type: 'transaction', entry: entriesOf(bundle).map(withOwnId) };
  const reply = await runtime.fhirHandler({
    method: 'POST',
    path: '/',
    query: '',
    headers: { 'content-type': 'application/fhir+json' },
    body: Buffer.from(JSON.stringify(transaction)),
    session: custodianSession(runtime),
    nowMs: runtime.nowMs(),
  });
  const answer = bodyOf(reply.body);
  if (reply.status >= 400) throw new AppError('invalid-resource', outcomeText(answer));
  return countResults(answer);
}

function entriesOf(bundle: Json): Json[] {
  const entries = bundle['entry'];
  if (bundle['resourceType'] !== 'Bundle' || !Array.isArray(entries)) {
    throw new AppError('invalid-resource', 'This is not a FHIR Bundle with entries.');
  }
  return entries as Json[];
}

/** An entry to create becomes one to update under the resource's own id. */
function withOwnId(entry: Json): Json {
  const resource = entry['resource'] as Json | undefined;
  const { resourceType, id } = resource ?? {};
  const request = entry['request'] as Json | undefined;
  const creates = request === undefined || request['method'] === 'POST';
  if (typeof resourceType !== 'string' || typeof id !== 'string' || !creates || request?.['ifNoneExist'] !== undefined) return entry;
  return { ...entry, request: { method: 'PUT', url: `${resourceType}/${id}` } };
}

function bodyOf(body: string | Uint8Array | undefined): Json {
  const text = typeof body === 'string' ? body : Buffer.from(body ?? new Uint8Array()).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Json);
}

/** Where and why the bundle was refused, as the FHIR side told it. */
function outcomeText(outcome: Json): string {
  const issues = Array.isArray(outcome['issue']) ? (outcome['issue'] as Json[]) : [];
  const texts = issues.slice(0, 5).map((issue) => {
    const details = issue['details'] as Json | undefined;
    const place = Array.isArray(issue['expression']) ? `${(issue['expression'] as string[])[0]}: ` : '';
    return `${place}${String(details?.['text'] ?? issue['diagnostics'] ?? issue['code'])}`;
  });
  return `The bundle was refused. ${texts.join(' ')}`;
}

function countResults(answer: Json): ImportResult {
  const statuses = ((answer['entry'] as Json[] | undefined) ?? []).map((entry) => String((entry['response'] as Json | undefined)?.['status'] ?? ''));
  return {
    created: statuses.filter((status) => status.startsWith('201')).length,
    updated: statuses.filter((status) => status.startsWith('200')).length,
    unchanged: statuses.filter((status) => status.startsWith('304')).length,
  };
}
