import { decodeAccessEntry, toAuditEvent } from '../../fhir/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import type { AccessEntry } from '../../vault/index.ts';
import type { NodeRuntime } from '../runtime.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** One access to a patient's record, as the patient sees it. */
export interface AccessAnswer {
  leafIndex: number;
  leafHash: string;
  /** FHIR AuditEvent (IHE BALP); null when the entry's key was erased. */
  auditEvent: unknown;
  reason: string | null;
  /** The proof that the entry is in the log whose root is on the ledger; null until it is anchored. */
  receipt: string | null;
}

/** A page of the patient's accesses, newest first. */
export async function listAccesses(
  runtime: NodeRuntime,
  patientId: string,
  query: Record<string, string>,
): Promise<{ total: number; accesses: AccessAnswer[]; next: number | null }> {
  const limit = Math.min(numberOf(query.limit) ?? DEFAULT_LIMIT, MAX_LIMIT);
  const before = numberOf(query.before);
  const page = { limit, ...(before !== undefined && { beforeLeafIndex: before }) };
  const entries = await runtime.vault.accessLog.listBySubject(patientId, page);
  const accesses = await Promise.all(entries.map((entry) => toAnswer(runtime, entry)));
  const next = entries.length === limit ? (entries.at(-1)?.leafIndex ?? null) : null;
  return { total: runtime.vault.accessLog.countBySubject(patientId), accesses, next };
}

async function toAnswer(runtime: NodeRuntime, entry: AccessEntry): Promise<AccessAnswer> {
  const receipt = (await runtime.receipts.ofAccessEntry(entry)) ?? null;
  const place = { leafIndex: entry.leafIndex, leafHash: toHex(entry.leafHash), receipt };
  if (entry.bytes === undefined) return { ...place, auditEvent: null, reason: null };
  const decision = decodeAccessEntry(entry.bytes);
  const auditEvent = toAuditEvent(decision, {
    id: String(entry.leafIndex),
    baseUrl: `${runtime.baseUrl}/fhir/R4`,
  });
  return { ...place, auditEvent, reason: decision.reason };
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new AppError('invalid-request', 'limit and before must be whole numbers.');
}
