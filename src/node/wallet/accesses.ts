import { type AccessLogEntry, decodeAccessEntry, toAuditEvent } from '../../fhir/index.ts';
import { accountIdOf } from '../../identity/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import type { AccessEntry } from '../../vault/index.ts';
import { readFileIfThere } from '../folder/files.ts';
import { decodeNetwork } from '../network/network-file.ts';
import type { PartsOfNode } from '../runtime.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
/** How much of a patient's log one request looks through for accesses that broke the glass. */
const MAX_SCANNED = 2000;

type AccessParts = PartsOfNode<'vault' | 'receipts' | 'baseUrl'>;

/** One access to a patient's record, as the patient sees it. */
export interface AccessAnswer {
  leafIndex: number;
  leafHash: string;
  /** FHIR AuditEvent (IHE BALP); null when the entry's key was erased. */
  auditEvent: unknown;
  reason: string | null;
  /** Somebody stated an emergency to see this record: the patient is to be told. */
  breakGlass: boolean;
  /** The proof that the entry is in the log whose root is on the ledger; null until it is anchored. */
  receipt: string | null;
}

/** A page of the patient's accesses, newest first. */
export async function listAccesses(
  node: AccessParts,
  patientId: string,
  query: Record<string, string>,
): Promise<{ total: number; accesses: AccessAnswer[]; next: number | null }> {
  const limit = Math.min(numberOf('limit', query.limit) ?? DEFAULT_LIMIT, MAX_LIMIT);
  const before = numberOf('before', query.before);
  const page = { limit, ...(before !== undefined && { beforeLeafIndex: before }) };
  const entries = await node.vault.accessLog.listBySubject(patientId, page);
  const accesses = await Promise.all(entries.map((entry) => toAnswer(node, entry)));
  const next = entries.length === limit ? (entries.at(-1)?.leafIndex ?? null) : null;
  return { total: node.vault.accessLog.countBySubject(patientId), accesses, next };
}

/** What the organisations that this node can name are called: itself, and those whose cards its network began with. */
export function organisationNames({
  opened,
  custodian,
}: PartsOfNode<'opened' | 'custodian'>): Record<string, string> {
  const network = readFileIfThere(opened.folder.network);
  const cards = network === undefined ? [] : decodeNetwork(network.toString('utf8')).cards;
  const members = cards.map(({ custodianKey, organisation }) => [
    toHex(accountIdOf(custodianKey)),
    organisation,
  ]);
  return Object.fromEntries([...members, [custodian.accountHex, opened.description.organisationName]]);
}

/**
 * The accesses that broke the glass, newest first, among the next that one request looks through: `next` says where to go on, also
 * where it found none. Anybody can put thousands of denied ones on top.
 */
export async function listBreakGlass(
  node: AccessParts,
  patientId: string,
  query: Record<string, string>,
): Promise<{ accesses: AccessAnswer[]; next: number | null }> {
  const found: AccessEntry[] = [];
  let next: number | null = numberOf('before', query.before) ?? Number.MAX_SAFE_INTEGER;
  for (let scanned = 0; next !== null && scanned < MAX_SCANNED && found.length < MAX_LIMIT; ) {
    const page = { limit: MAX_LIMIT, beforeLeafIndex: next };
    const entries: AccessEntry[] = await node.vault.accessLog.listBySubject(patientId, page);
    found.push(
      ...entries.filter(({ bytes }) => bytes !== undefined && isBreakGlass(decodeAccessEntry(bytes))),
    );
    scanned += entries.length;
    next = entries.length === MAX_LIMIT ? (entries.at(-1)?.leafIndex ?? null) : null;
  }
  return { accesses: await Promise.all(found.map((entry) => toAnswer(node, entry))), next };
}

function isBreakGlass({ obligations }: AccessLogEntry): boolean {
  return obligations.some(({ kind }) => kind === 'notify-patient');
}

async function toAnswer(node: AccessParts, entry: AccessEntry): Promise<AccessAnswer> {
  const receipt = (await node.receipts.ofAccessEntry(entry)) ?? null;
  const place = { leafIndex: entry.leafIndex, leafHash: toHex(entry.leafHash), receipt };
  if (entry.bytes === undefined) return { ...place, auditEvent: null, reason: null, breakGlass: false };
  const decision = decodeAccessEntry(entry.bytes);
  const auditEvent = toAuditEvent(decision, {
    id: String(entry.leafIndex),
    baseUrl: `${node.baseUrl}/fhir/R4`,
  });
  return { ...place, auditEvent, reason: decision.reason, breakGlass: isBreakGlass(decision) };
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new AppError('invalid-request', `${name} must be a whole number.`);
}
