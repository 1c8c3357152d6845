import { writeFileSync } from 'node:fs';
import { type NodeClient, verifyReceipt } from '../../client/index.ts';
import { AppError, fromUtf8 } from '../../shared/index.ts';
import { connectPatient, openSession, readWallet } from '../connect.ts';
import { type Terminal, table } from '../terminal.ts';

interface Access {
  auditEvent: AuditEvent | null;
  reason: string | null;
  receipt: string | null;
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

/** Lists a patient's accesses and checks the proof of each. */
export async function showAccesses(
  options: { wallet: string; node: string; limit: string; receipt?: string },
  terminal: Terminal,
): Promise<void> {
  const { client, identity, chainId } = await connectPatient(options.node, await readWallet(options.wallet));
  const token = await openSession(client, identity, 'PATRQT');
  const page = await fetchAccesses(client, token, `limit=${encodeURIComponent(options.limit)}`);
  const emergencies = await fetchAccesses(client, token, 'breakGlass=true');
  const proven = (accesses: Access[]): ProvenAccess[] =>
    accesses.map((access) => ({ ...access, proof: proofOf(access, chainId) }));
  const accesses = proven(page.accesses);
  const breakGlass = proven(emergencies.accesses);
  saveNewest(options.receipt, page.accesses);
  terminal.answer(
    { total: page.total, breakGlass, accesses },
    [...noticeOf(breakGlass), listOf(accesses)].join('\n'),
  );
  if ([...accesses, ...breakGlass].some(({ proof }) => proof === 'REFUSED'))
    throw new AppError(
      'proof-refused',
      'The proof of an entry does not hold. Keep this output: it is evidence against the node.',
    );
}

interface ProvenAccess extends Access {
  proof: ReturnType<typeof proofOf>;
}

async function fetchAccesses(
  client: NodeClient,
  token: string,
  query: string,
): Promise<{ total?: number; accesses: Access[] }> {
  const answer = await client.call(`/wallet/accesses?${query}`, { token });
  const page = JSON.parse(fromUtf8(answer.bytes) ?? '{}') as {
    total?: number;
    accesses?: Access[];
    detail?: string;
  };
  if (answer.status === 200 && page.accesses !== undefined) return { ...page, accesses: page.accesses };
  throw new AppError('unavailable', page.detail ?? 'The node did not give the log.');
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
  return table([['when', 'what', 'who', 'why', 'record', 'decision', 'proof'], ...rows]);
}

function proofOf({ receipt }: Access, chainId: Uint8Array): 'verified' | 'not anchored yet' | 'REFUSED' {
  if (receipt === null) return 'not anchored yet';
  return verifyReceipt(receipt, { chainId }).ok ? 'verified' : 'REFUSED';
}

function describe({ auditEvent, reason }: Access): string[] {
  if (auditEvent === null) return ['(erased)', '', '', '', '', ''];
  const who = auditEvent.agent.find((agent) => agent.requestor)?.who?.identifier?.value ?? '';
  // The first entity says whose record it is, and that is known here; the versions that were read follow it.
  const records = (auditEvent.entity ?? [])
    .map(({ what }) => what?.reference ?? '')
    .filter((reference) => reference.includes('/_history/'));
  return [
    auditEvent.recorded.slice(0, 19),
    auditEvent.subtype?.[0]?.code ?? '',
    who.replace('urn:careledger:account:', '').slice(0, 12),
    auditEvent.purposeOfEvent?.[0]?.coding?.[0]?.code ?? '',
    records.length > 1 ? `${records[0]} and ${records.length - 1} more` : (records[0] ?? ''),
    `${auditEvent.outcome === '0' ? 'permitted' : 'DENIED'}: ${reason ?? ''}`,
  ];
}

function saveNewest(file: string | undefined, accesses: Access[]): void {
  if (file === undefined) return;
  const receipt = accesses.find((access) => access.receipt !== null)?.receipt;
  if (typeof receipt !== 'string')
    throw new AppError('not-found', 'No entry is anchored yet. Try again in a minute.');
  writeFileSync(file, receipt);
}
