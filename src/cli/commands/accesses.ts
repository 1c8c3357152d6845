import type { NodeClient } from '../../client/index.ts';
import { decodeRecordedAnchor, type RecordedAnchor } from '../../contracts/index.ts';
import { AppError, fromUtf8 } from '../../shared/index.ts';
import { connectPatient, openSession, type PatientConnection, readWallet } from '../connect.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import { type Terminal, table } from '../terminal.ts';
import { type EntryProof, type ListedEntry, type LogOwner, proofsOf } from './access-proofs.ts';
import { wholeNumberOf } from './options.ts';

const ANCHORED =
  "in the log: the hospital's log on the ledger has this entry. Only a hospital that declares there that it lost the end of its log can drop it. What a line says of it is the hospital's word.";

const HEADINGS = ['when', 'what', 'who', 'of', 'why', 'record', 'consent', 'decision', 'proof'];

interface Access extends ListedEntry {
  auditEvent: AuditEvent | null;
  reason: string | null;
}

interface Agent {
  requestor?: boolean;
  who?: { identifier?: { value?: string } };
  /** The rules that decided. */
  policy?: string[];
}

/** The few members of a FHIR AuditEvent that a line of the list needs. */
interface AuditEvent {
  recorded: string;
  outcome: string;
  /** The organisation of who asked, the custodian, and who asked. */
  agent: Agent[];
  purposeOfEvent?: { coding?: { code?: string }[] }[];
  subtype?: { code?: string }[];
  entity?: { what?: { reference?: string } }[];
}

/** A part of the log, newest first, and the place that the next older part comes before. */
interface Page {
  total?: number;
  accesses: Access[];
  next: number | null;
  names: Names;
}

/** What the hospital calls organisations, by account. */
type Names = Readonly<Record<string, string>>;

export interface AccessOptions {
  wallet: string;
  node: string;
  limit: string;
  before?: string;
  receipt?: string;
}

/** Lists a patient's accesses and checks of each that it is in the log. */
export async function showAccesses(options: AccessOptions, terminal: Terminal): Promise<void> {
  const limit = wholeNumberOf('--limit', options.limit);
  const before = options.before === undefined ? undefined : wholeNumberOf('--before', options.before);
  refuseExisting(options.receipt);
  const connection = await connectPatient(options.node, await readWallet(options.wallet));
  const { client, identity } = connection;
  const token = await openSession(client, identity, 'PATRQT');
  const page = await fetchPages(client, token, limit, before);
  const emergencies = await fetchBreakGlass(client, token);
  const accesses = proven(page.accesses, connection);
  const breakGlass = proven(emergencies, connection);
  const { restarts, restartedHeight } = await restartsOf(connection);
  terminal.answer(
    {
      total: page.total,
      next: page.next,
      organisations: page.names,
      restarts,
      restartedHeight,
      breakGlass,
      accesses,
    },
    [
      ...restartNotice(restarts, restartedHeight),
      ...noticeOf(breakGlass, page.names),
      listOf(accesses, page.names),
      ...moreText(page),
    ].join('\n'),
  );
  if ([...accesses, ...breakGlass].some(({ proof }) => proof === 'REFUSED'))
    throw new AppError(
      'proof-refused',
      'The proof of an entry does not hold. Keep this output: it is evidence against the node.',
    );
  saveNewest(options.receipt, accesses);
}

type Restarts = Pick<RecordedAnchor, 'restarts' | 'restartedHeight'>;

/** As the ledger's state proves it: the hospital's own answers do not have to tell. */
async function restartsOf({ client, custodian }: PatientConnection): Promise<Restarts> {
  const row = await client.stateValue({ table: 'access-anchor', ids: [custodian] });
  return row === undefined ? { restarts: 0, restartedHeight: 0 } : decodeRecordedAnchor(row);
}

function restartNotice(restarts: number, height: number): string[] {
  if (restarts === 0) return [];
  const often = restarts === 1 ? `at height ${height}` : `${restarts} times, last at height ${height}`;
  return [
    `ATTENTION: The hospital declared on the ledger, ${often}, that it lost the end of its log. What was in it is not in this list.`,
    '',
  ];
}

interface ProvenAccess extends Access {
  proof: EntryProof;
}

function proven(accesses: readonly Access[], owner: LogOwner): ProvenAccess[] {
  const proofs = proofsOf(accesses, owner);
  return accesses.map((access, at) => ({ ...access, proof: proofs[at] as EntryProof }));
}

/** Page after page, because a node gives no more than so many at once. */
export async function fetchPages(
  client: Pick<NodeClient, 'call'>,
  token: string,
  limit: number,
  before: number | undefined,
): Promise<Page> {
  const accesses: Access[] = [];
  for (let from = before; ; ) {
    const place = from === undefined ? '' : `&before=${from}`;
    const page = await fetchAccesses(client, token, `limit=${limit - accesses.length}${place}`);
    accesses.push(...page.accesses);
    if (page.next === null || accesses.length >= limit) return { ...page, accesses };
    // Each page brings something, and an earlier place to go on from: no node keeps a reader for ever.
    if (page.accesses.length === 0 || (from !== undefined && page.next >= from)) throw goesInCircles();
    from = page.next;
  }
}

/** All of them, to the end of the log: there may be none in a page, and some in the next. */
export async function fetchBreakGlass(
  client: Pick<NodeClient, 'call'>,
  token: string,
): Promise<readonly Access[]> {
  const found: Access[] = [];
  for (let from: number | undefined; ; ) {
    const place = from === undefined ? '' : `&before=${from}`;
    const { accesses, next } = await fetchAccesses(client, token, `breakGlass=true${place}`);
    found.push(...accesses);
    if (next === null) return found;
    if (from !== undefined && next >= from) throw goesInCircles();
    from = next;
  }
}

function goesInCircles(): AppError {
  return new AppError('unavailable', 'The node says that there is more of the log, and does not give it.');
}

async function fetchAccesses(client: Pick<NodeClient, 'call'>, token: string, query: string): Promise<Page> {
  const answer = await client.call(`/wallet/accesses?${query}`, { token });
  const page = pageOf(fromUtf8(answer.bytes) ?? '');
  if (answer.status === 200 && page.accesses !== undefined)
    return { next: null, names: {}, ...page, accesses: page.accesses };
  throw new AppError('unavailable', page.detail ?? 'The node did not give the log.');
}

/** What a node answered, as far as it is of the shape that the list needs. */
function pageOf(text: string): Partial<Page> & { detail?: string } {
  try {
    const { total, accesses, detail, next, organisations } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(typeof total === 'number' && { total }),
      ...(Array.isArray(accesses) && accesses.every(isAccess) && { accesses }),
      ...(typeof detail === 'string' && { detail }),
      ...(typeof next === 'number' && Number.isSafeInteger(next) && { next }),
      ...(isNames(organisations) && { names: organisations }),
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

function isNames(value: unknown): value is Names {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((name) => typeof name === 'string')
  );
}

function isAuditEvent(value: unknown): boolean {
  const { recorded, outcome, agent } = (value ?? {}) as Record<string, unknown>;
  return typeof recorded === 'string' && typeof outcome === 'string' && Array.isArray(agent);
}

/** Stands before everything else: somebody stated an emergency to see this record. */
function noticeOf(breakGlass: ProvenAccess[], names: Names): string[] {
  if (breakGlass.length === 0) return [];
  const count = breakGlass.length === 1 ? 'An emergency access' : `${breakGlass.length} emergency accesses`;
  return [
    `ATTENTION: ${count} to your record (break the glass). Ask the hospital why, if you do not know.`,
    listOf(breakGlass, names),
    '',
    'All accesses:',
  ];
}

function moreText({ total, accesses, next }: Page): string[] {
  if (next === null) return [];
  return ['', `${accesses.length} of ${total ?? 'more'}. Those before: careledger log --before ${next}`];
}

function listOf(accesses: ProvenAccess[], names: Names): string {
  if (accesses.length === 0) return 'Nobody has accessed this record.';
  const rows = accesses.map((access) => [...describe(access, names), access.proof]);
  const list = table([HEADINGS, ...rows]);
  return accesses.some(({ proof }) => proof === 'in the log') ? `${list}\n\n${ANCHORED}` : list;
}

function describe({ auditEvent, reason }: Access, names: Names): string[] {
  if (auditEvent === null) return ['(erased)', '', '', '', '', '', '', ''];
  const { recorded, outcome, agent, entity, subtype, purposeOfEvent } = auditEvent;
  const requestor = agent.find((each) => each?.requestor);
  // The first entity says whose record it is, and that is known here; the versions that were read follow it.
  const records = (Array.isArray(entity) ? entity : [])
    .map((each) => textOf(each?.what?.reference))
    .filter((reference) => reference.includes('/_history/'));
  return [
    recorded.slice(0, 19),
    textOf(subtype?.[0]?.code),
    accountOf(requestor).slice(0, 12),
    organisationOf(accountOf(agent[0]), names),
    textOf(purposeOfEvent?.[0]?.coding?.[0]?.code),
    records.length > 1 ? `${records[0]} and ${records.length - 1} more` : (records[0] ?? ''),
    consentsOf(requestor).join(', '),
    `${outcome === '0' ? 'permitted' : 'DENIED'}: ${textOf(reason)}`,
  ];
}

function accountOf(agent: Agent | undefined): string {
  return textOf(agent?.who?.identifier?.value).replace('urn:careledger:account:', '');
}

function organisationOf(account: string, names: Names): string {
  return Object.hasOwn(names, account) ? textOf(names[account]) : account.slice(0, 12);
}

/** The consents whose rules decided, of all that were looked at; as `careledger consent list` shows them. */
function consentsOf(requestor: Agent | undefined): string[] {
  const rules = (Array.isArray(requestor?.policy) ? requestor.policy : []).map(textOf);
  const ids = rules.flatMap(
    (rule) => /^urn:careledger:rule:consent:([0-9a-f]{16})[0-9a-f]{48}:/.exec(rule)?.[1] ?? [],
  );
  return [...new Set(ids)];
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
