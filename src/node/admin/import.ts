import { toIdempotentBundle } from '../../fhir/index.ts';
import { AppError, type ErrorCode, toHex } from '../../shared/index.ts';
import type { NodeSession } from '../auth/token-endpoint.ts';
import type { PartsOfNode } from '../runtime.ts';

type Json = Record<string, unknown>;

/** What an import did, and of what it refused. */
export interface ImportResult extends Json {
  created: number;
  updated: number;
  unchanged: number;
}

/** The custodian itself, taking data in: it may write and not read. */
export function custodianSession({ custodian }: PartsOfNode<'custodian'>): NodeSession {
  return {
    accountId: custodian.accountHex,
    kind: 'organisation',
    publicKey: toHex(custodian.publicKey),
    organisation: custodian.accountHex,
    roles: [],
    purpose: 'HOPERAT',
  };
}

/** A batch too is taken in as a whole, or not at all. */
const IMPORTED_TYPES = new Set(['transaction', 'batch']);
const MAX_ATTEMPTS = 5;
const CONFLICT = 409;
const PRECONDITION_FAILED = 412;
/** What the node could not do now, which is no fault of the bundle. */
const NOT_NOW = new Map<number, ErrorCode>([
  [503, 'busy'],
  [504, 'timeout'],
  [507, 'disk-full'],
]);

/**
 * Takes a Bundle in as one transaction. Resources keep their ids, or get one that follows from their fullUrl, so that importing it
 * again changes nothing; only what is created without a fullUrl is there twice then.
 */
export async function importBundle(
  runtime: PartsOfNode<'custodian' | 'fhirHandler'>,
  bundle: Json,
): Promise<ImportResult> {
  const body = Buffer.from(JSON.stringify(toIdempotentBundle(checkedBundle(bundle))));
  for (let attempt = 1; ; attempt++) {
    const session = custodianSession(runtime);
    const headers = { 'content-type': 'application/fhir+json' };
    const reply = await runtime.fhirHandler({ method: 'POST', path: '/', query: '', headers, body, session });
    const answer = bodyOf(reply.body);
    if (reply.status < 400) return countResults(answer);
    // Bundles that are taken in side by side may share a resource; who came second tries again on what is there now.
    const isConflict = reply.status === CONFLICT || reply.status === PRECONDITION_FAILED;
    if (!isConflict || attempt === MAX_ATTEMPTS) throw refusalOf(reply.status, answer);
  }
}

function checkedBundle(bundle: Json): Parameters<typeof toIdempotentBundle>[0] {
  const entries = bundle.entry;
  const isObject = (entry: unknown): boolean => typeof entry === 'object' && entry !== null;
  if (bundle.resourceType !== 'Bundle' || !Array.isArray(entries) || !entries.every(isObject)) {
    throw new AppError('invalid-resource', 'This is not a FHIR Bundle with entries.');
  }
  if (!IMPORTED_TYPES.has(String(bundle.type))) {
    throw new AppError(
      'invalid-resource',
      `A Bundle of the type ${String(bundle.type).slice(0, 40)} does not say what is to be done with its entries, and cannot be imported. Make it a transaction: give each entry a request, such as {"method": "PUT", "url": "Patient/ana"}.`,
    );
  }
  if (entries.some(isConditional)) {
    throw new AppError(
      'invalid-resource',
      'An import may not look for what is there already, as ifNoneExist or an address with "?" asks it to. Send this Bundle to POST /fhir/R4, as somebody who may read.',
    );
  }
  return bundle as unknown as Parameters<typeof toIdempotentBundle>[0];
}

function isConditional({ request }: { request?: Json | null }): boolean {
  return request?.ifNoneExist !== undefined || String(request?.url ?? '').includes('?');
}

function bodyOf(body: string | Uint8Array | undefined): Json {
  const text = typeof body === 'string' ? body : Buffer.from(body ?? new Uint8Array()).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Json);
}

function refusalOf(status: number, answer: Json): AppError {
  const code = NOT_NOW.get(status);
  if (code !== undefined) return new AppError(code, outcomeText(answer));
  return new AppError('invalid-resource', `The bundle was refused. ${outcomeText(answer)}`);
}

/** Where and why the bundle was refused, as the FHIR side told it. */
function outcomeText(outcome: Json): string {
  const issues = Array.isArray(outcome.issue) ? (outcome.issue as Json[]) : [];
  const texts = issues.slice(0, 5).map((issue) => {
    const details = issue.details as Json | undefined;
    const place = Array.isArray(issue.expression) ? `${(issue.expression as string[])[0]}: ` : '';
    return `${place}${String(details?.text ?? issue.diagnostics ?? issue.code)}`;
  });
  return texts.join(' ');
}

function countResults(answer: Json): ImportResult {
  const result: ImportResult = { created: 0, updated: 0, unchanged: 0 };
  for (const entry of (answer.entry as Json[] | undefined) ?? []) {
    const { status, outcome } = (entry.response ?? {}) as { status?: string; outcome?: unknown };
    if (status === '201') result.created++;
    else if (outcome === undefined) result.updated++;
    else result.unchanged++;
  }
  return result;
}
