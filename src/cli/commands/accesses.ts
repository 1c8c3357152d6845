import type { NodeClient } from '../../client/index.ts';
import { AppError, fromUtf8 } from '../../shared/index.ts';
import { connectPatient, openSession, readWallet } from '../connect.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import { type Terminal, table } from '../terminal.ts';
import { type EntryProof, type ListedEntry, type LogOwner, proofsOf } from './access-proofs.ts';

const ANCHORED =
  "in the log: the hospital's log on the ledger has this entry, and keeps it. What a line says of it is the hospital's word.";

interface Access extends ListedEntry {
  auditEvent: AuditEvent | null;
  reason: string | null;
}

/** The few members of a FHIR AuditEvent that a line of the list needs. */
interface AuditEvent {
  recorded: string;
  outcome: string;
  agent: { requestor: boolean; who?: { identifier?: { value?: string } } }[];
  purposeOfEvent?: { coding?: { code?: string }[] }[];
  subtype?: { code?: string }[];
  entity?: { what?: { reference?: string } }[];
}

/** Lists a patient's accesses and checks of each that it is in the log. */
export async function showAccesses(
  options: { wallet: string; node: string; limit: string; receipt?: string },
  terminal: Terminal,
): Promise<void> {
  refuseExisting(options.receipt);
  const connection = await connectPatient(options.node, await readWallet(options.wallet));
  const { client, identity } = connection;
  const token = await openSession(client, identity, 'PATRQT');
  const page = await fetchAccesses(client, token, `limit=${encodeURIComponent(options.limit)}`);
  const emergencies = await fetchAccesses(client, token, 'breakGlass=true');
  const accesses = proven(page.accesses, connection);
  const breakGlass = proven(emergencies.accesses, connection);
  terminal.answer(
    { total: page.total, breakGlass, accesses },
    [...noticeOf(breakGlass), listOf(accesses)].join('\n'),
  );
  if ([...accesses, ...breakGlass].some(({ proof }) => proof === 'REFUSED'))
    throw new AppError(
      'proof-refused',
      'The proof of an entry does not hold. Keep this output: it is evidence against the node.',
    );
  saveNewest(options.receipt, accesses);
}

interface ProvenAccess extends Access {
  proof: EntryProof;
}

function proven(accesses: Access[], owner: LogOwner): ProvenAccess[] {
  const proofs = proofsOf(accesses, owner);
  return accesses.map((access, at) => ({ ...access, proof: proofs[at] as EntryProof }));
}

async function fetchAccesses(
  client: NodeClient,
  token: string,
  query: string,
): Promise<{ total?: number; accesses: Access[] }> {
  const answer = await client.call(`/wallet/accesses?${query}`, { token });
  const page = pageOf(fromUtf8(answer.bytes) ?? '');
  if (answer.status === 200 && page.accesses !== undefined) return { ...page, accesses: page.accesses };
  throw new AppError('unavailable', page.detail ?? 'The node did not give the log.');
}

/** What a node answered, as far as it is of the shape that the list needs. */
function pageOf(text: string): { total?: number; accesses?: Access[]; detail?: string } {
  try {
    const { total, accesses, detail } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(typeof total === 'number' && { total }),
      ...(Array.isArray(accesses) && accesses.every(isAccess) && { accesses }),
      ...(typeof detail === 'string' && { detail }),
    };
  } catch {
    return {};
  }
}

function isAccess(value: unknown): value is Access {
  const { leafIndex, leafHash, receipt, auditEvent } = (value ?? {}) as Record<string, unknown>;
  const isPlaced = Number.isSafeInteger(leafIndex) && typeof leafHash === 'string';
  const isProven = receipt === null || typeof receipt === 'string';
  return isPlaced && isProven && (auditEvent === null || isAuditEvent(auditEvent));
}

function isAuditEvent(value: unknown): boolean {
  const { recorded, outcome, agent } = (value ?? {}) as Record<string, unknown>;
  return typeof recorded === 'string' && typeof outcome === 'string' && Array.isArray(agent);
}

/** Stands before everything else: somebody stated an emergency to see this record. */
function noticeOf(breakGlass: ProvenAccess[]): string[] {
  if (breakGlass.length === 0) return [];
  const count = breakGlass.length === 1 ? 'An emergency access' : `${breakGlass.length} emergency accesses`;
  return [
    `ATTENTION: ${count} to your record (break the glass). Ask the hospital why, if you do not know.`,
    listOf(breakGlass),
    '',
    'All accesses:',
  ];
}

function listOf(accesses: ProvenAccess[]): string {
  if (accesses.length === 0) return 'Nobody has accessed this record.';
  const rows = accesses.map((access) => [...describe(access), access.proof]);
  const list = table([['when', 'what', 'who', 'why', 'record', 'decision', 'proof'], ...rows]);
  return accesses.some(({ proof }) => proof === 'in the log') ? `${list}\n\n${ANCHORED}` : list;
}

function describe({ auditEvent, reason }: Access): string[] {
  if (auditEvent === null) return ['(erased)', '', '', '', '', ''];
  const { recorded, outcome, agent, entity, subtype, purposeOfEvent } = auditEvent;
  const who = agent.find((each) => each?.requestor)?.who?.identifier?.value;
  // The first entity says whose record it is, and that is known here; the versions that were read follow it.
  const records = (Array.isArray(entity) ? entity : [])
    .map((each) => textOf(each?.what?.reference))
    .filter((reference) => reference.includes('/_history/'));
  return [
    recorded.slice(0, 19),
    textOf(subtype?.[0]?.code),
    textOf(who).replace('urn:careledger:account:', '').slice(0, 12),
    textOf(purposeOfEvent?.[0]?.coding?.[0]?.code),
    records.length > 1 ? `${records[0]} and ${records.length - 1} more` : (records[0] ?? ''),
    `${outcome === '0' ? 'permitted' : 'DENIED'}: ${textOf(reason)}`,
  ];
}

/** A node may put anything in a place where a text belongs. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function saveNewest(file: string | undefined, accesses: ProvenAccess[]): void {
  if (file === undefined) return;
  const receipt = accesses.find(({ proof }) => proof === 'in the log')?.receipt;
  if (typeof receipt !== 'string')
    throw new AppError('not-found', 'No entry is anchored yet. Try again in a minute.');
  writeNew(file, receipt);
}
