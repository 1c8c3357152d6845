import { toIdempotentBundle } from '../../fhir/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
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
  return {
    accountId: custodian.accountHex,
    kind: 'organisation',
    publicKey: toHex(custodian.publicKey),
    organisation: custodian.accountHex,
    roles: [],
    purpose: 'HOPERAT',
  };
}

/** Takes a Bundle in as one transaction. Resources keep their ids, so that importing it again changes nothing. */
export async function importBundle(runtime: NodeRuntime, bundle: Json): Promise<ImportResult> {
  const transaction = toIdempotentBundle(checkedBundle(bundle));
  const reply = await runtime.fhirHandler({
    method: 'POST',
    path: '/',
    query: '',
    headers: { 'content-type': 'application/fhir+json' },
    body: Buffer.from(JSON.stringify(transaction)),
    session: custodianSession(runtime),
  });
  const answer = bodyOf(reply.body);
  if (reply.status >= 400) throw new AppError('invalid-resource', outcomeText(answer));
  return countResults(answer);
}

function checkedBundle(bundle: Json): Parameters<typeof toIdempotentBundle>[0] {
  const entries = bundle.entry;
  const isObject = (entry: unknown): boolean => typeof entry === 'object' && entry !== null;
  if (bundle.resourceType !== 'Bundle' || !Array.isArray(entries) || !entries.every(isObject)) {
    throw new AppError('invalid-resource', 'This is not a FHIR Bundle with entries.');
  }
  return bundle as unknown as Parameters<typeof toIdempotentBundle>[0];
}

function bodyOf(body: string | Uint8Array | undefined): Json {
  const text = typeof body === 'string' ? body : Buffer.from(body ?? new Uint8Array()).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Json);
}

/** Where and why the bundle was refused, as the FHIR side told it. */
function outcomeText(outcome: Json): string {
  const issues = Array.isArray(outcome.issue) ? (outcome.issue as Json[]) : [];
  const texts = issues.slice(0, 5).map((issue) => {
    const details = issue.details as Json | undefined;
    const place = Array.isArray(issue.expression) ? `${(issue.expression as string[])[0]}: ` : '';
    return `${place}${String(details?.text ?? issue.diagnostics ?? issue.code)}`;
  });
  return `The bundle was refused. ${texts.join(' ')}`;
}

function countResults(answer: Json): ImportResult {
  const statuses = ((answer.entry as Json[] | undefined) ?? []).map((entry) =>
    String((entry.response as Json | undefined)?.status ?? ''),
  );
  return {
    created: statuses.filter((status) => status.startsWith('201')).length,
    updated: statuses.filter((status) => status.startsWith('200')).length,
    unchanged: statuses.filter((status) => status.startsWith('304')).length,
  };
}
