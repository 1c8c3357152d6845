import { type Finding, verifyLedgerFolder } from '../../engine/index.ts';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import {
  type Block,
  chainIdOf,
  decodeGenesis,
  decodeTransaction,
  type Genesis,
  type ResultCode,
  type Transaction,
  type TransactionResult,
} from '../../ledger/index.ts';
import { AppError } from '../../shared/index.ts';
import { type AuditFinding, createPause, type Vault } from '../../vault/index.ts';
import { readFileIfThere } from '../folder/files.ts';
import { folderSealFindings } from '../folder/folder-seal.ts';
import {
  isInitialised,
  type OpenedFolder,
  openFolder,
  readDescription,
  refuseUnnamedVault,
} from '../folder/init-folder.ts';
import { type DataFolder, dataFolder } from '../folder/layout.ts';
import { headKeyOf } from '../network/head-key.ts';
import { openNodeVault } from '../open-runtime.ts';
import type { PartsOfNode } from '../runtime.ts';
import { patientDiscrepancies } from './compare-patients.ts';
import {
  accessLogDiscrepancies,
  type Discrepancy,
  erasureDiscrepancies,
  WalkedRecords,
} from './compare-with-ledger.ts';
import { commitmentKey, LedgerFactsGatherer } from './ledger-facts.ts';

/** One thing an audit found: in which part, where, and what is wrong with it. */
export interface NodeFinding extends Record<string, unknown> {
  part: 'ledger' | 'vault' | 'folder';
  severity: 'damage' | 'note';
  where: string;
  what: string;
}

/** What an audit looked at and how many damaged or missing pieces it found. */
export interface AuditSummary extends Record<string, unknown> {
  done: true;
  damaged: number;
  notes: number;
}

type Tell = (line: Record<string, unknown>) => void;

/** Audits a running node: its files as they are on disk, its vault through the open one. */
export async function auditNode(
  { engine, custodian, vault, opened }: PartsOfNode<'engine' | 'custodian' | 'vault' | 'opened'>,
  tell: Tell,
): Promise<AuditSummary> {
  const facts = new LedgerFactsGatherer(custodian.accountId);
  return collect(tell, async (found, progress) => {
    const isWhole = await auditLedger(opened.folder, opened.genesis, facts, found, progress);
    // What is written while the vault is walked is on the ledger, though not among the facts yet.
    const catchUp = async (): Promise<void> => {
      for await (const { block, results } of engine.blocks(facts.height + 1))
        facts.take(block.height, checkedTransactions(block, results));
    };
    await auditVault(vault, isWhole ? facts : undefined, found, progress, catchUp);
  });
}

/** Audits the folder of a stopped node, changing nothing; also one that is too damaged to start. */
export async function auditFolder(
  options: { path: string; passphrase: string | undefined; vaultUrl?: string },
  tell: Tell,
): Promise<AuditSummary> {
  const folder = dataFolder(options.path);
  if (!isInitialised(options.path)) readDescription(folder);
  return collect(tell, async (found, progress) => {
    const changed = await auditSeal(folder, found);
    const opened = openUnlessChanged(options, changed, found);
    if (opened === undefined) return;
    refuseUnnamedVault(opened.description, options.vaultUrl);
    const publicKey = publicKeyOf(opened.keys.custodianSeed);
    const custodian = { publicKey, accountId: accountIdOf(publicKey) };
    const facts = new LedgerFactsGatherer(custodian.accountId);
    const isWhole = await auditLedger(folder, opened.genesis, facts, found, progress);
    try {
      const opening = openNodeVault(opened, { ...options, tolerateDamage: true }, custodian);
      await auditVaultOf(opening, isWhole ? facts : undefined, found, progress);
    } catch (error) {
      // A vault too damaged to be walked is one finding; anything else is no answer about damage.
      if (!(error instanceof AppError) || !isSignOfDamage(error, changed)) throw error;
      found({ part: 'vault', severity: 'damage', where: opened.folder.vault, what: error.message });
    }
  });
}

/** Compares what the node stopped with. Answers whether anything is not as it was. */
async function auditSeal(folder: DataFolder, found: Found): Promise<boolean> {
  const genesis = decodeGenesis(readFileIfThere(folder.genesis) ?? new Uint8Array(0));
  const findings = await folderSealFindings(
    folder,
    genesis.ok ? headKeyOf(folder, genesis.value) : undefined,
  );
  for (const { severity, file, offset, message } of findings) {
    const place = offset === undefined ? {} : { offset };
    found({ part: 'folder', severity, where: file, what: message, ...place });
  }
  return findings.some(({ severity }) => severity === 'damage');
}

/** Keys that changed do not open; the finding that says so has been told already. */
function openUnlessChanged(
  options: { path: string; passphrase: string | undefined },
  changed: boolean,
  found: Found,
): OpenedFolder | undefined {
  try {
    return openFolder(options.path, options.passphrase);
  } catch (error) {
    if (!(error instanceof AppError) || !isSignOfDamage(error, changed)) throw error;
    found({ part: 'folder', severity: 'damage', where: options.path, what: error.message });
    return undefined;
  }
}

/** A passphrase that does not open a key file which changed says nothing about the passphrase. */
function isSignOfDamage(error: AppError, changed: boolean): boolean {
  return (
    error.code === 'damaged' || (changed && ['wrong-passphrase', 'passphrase-missing'].includes(error.code))
  );
}

async function auditVaultOf(
  opening: Promise<Vault>,
  facts: LedgerFactsGatherer | undefined,
  found: Found,
  progress: Tell,
): Promise<void> {
  const vault = await opening;
  try {
    await auditVault(vault, facts, found, progress);
  } finally {
    await vault.close();
  }
}

type Found = (finding: NodeFinding) => void;

async function collect(
  tell: Tell,
  walk: (found: Found, progress: Tell) => Promise<void>,
): Promise<AuditSummary> {
  const counts = { damage: 0, note: 0 };
  await walk((finding) => {
    counts[finding.severity]++;
    tell({ finding });
  }, tell);
  return { done: true, damaged: counts.damage, notes: counts.note };
}

/** Answers whether the ledger is whole, so that the vault can be held against it. */
export async function auditLedger(
  folder: DataFolder,
  genesis: Genesis,
  facts: LedgerFactsGatherer,
  found: Found,
  progress: Tell,
): Promise<boolean> {
  const onProgress = (height: number, done: number, total: number): void =>
    progress({ progress: 'ledger', height, done, total });
  let isWhole = true;
  for await (const finding of verifyLedgerFolder(folder.ledger, {
    chainId: chainIdOf(genesis),
    headKey: headKeyOf(folder, genesis),
    onProgress: everyNth(1000, onProgress),
    onBlock: (height, transactions) => facts.take(height, transactions),
    pause: createPause(),
  })) {
    isWhole &&= finding.severity === 'note' || finding.code === 'index-differs';
    found(fromLedger(finding));
  }
  return isWhole;
}

function everyNth<T extends unknown[]>(n: number, tell: (...values: T) => void): (...values: T) => void {
  let count = 0;
  return (...values) => {
    if (++count % n === 0) tell(...values);
  };
}

/** The message of a finding about the ledger says the place as well. */
function fromLedger({ severity, file, offset, height, message }: Finding): NodeFinding {
  const place = { ...(offset !== undefined && { offset }), ...(height !== undefined && { height }) };
  return { part: 'ledger', severity, where: `ledger/${file}`, what: message, ...place };
}

/** Walks the vault and holds what it has against what the ledger says it must have. */
async function auditVault(
  vault: Vault,
  facts: LedgerFactsGatherer | undefined,
  found: Found,
  progress: Tell,
  catchUp: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const records = facts && new WalkedRecords(facts);
  const { height } = facts ?? { height: 0 };
  const findings = vault.audit((step) => progress({ progress: 'vault', ...step }), records?.take);
  for await (const finding of findings) found(fromVault(finding));
  if (facts === undefined || records === undefined) return found(NOT_COMPARED);
  await catchUp();
  // After the ledger: it records an erasure when the vault has listed it.
  const erased = await vault.erased();
  const unknown = await vault.erasedUnknown();
  const erasedKeys = new Set(erased.flatMap(({ commitments }) => commitments.map(commitmentKey)));
  const tell = ({ severity, where, what }: Discrepancy): void =>
    found({ part: 'vault', severity, where: `vault: ${where}`, what });
  for (const discrepancy of [...records.unknownToLedger(), ...records.notAnchored()]) tell(discrepancy);
  for await (const discrepancy of records.missingFromVault(erasedKeys, unknown, height)) tell(discrepancy);
  for (const discrepancy of [
    ...erasureDiscrepancies(facts, erased),
    ...accessLogDiscrepancies(facts, vault.accessLog),
  ])
    tell(discrepancy);
  for await (const discrepancy of patientDiscrepancies(facts, vault)) tell(discrepancy);
}

const NOT_COMPARED: NodeFinding = {
  part: 'vault',
  severity: 'note',
  where: 'vault',
  what: 'It was not compared with the ledger, which is damaged itself.',
};

function fromVault({ severity, where, what }: AuditFinding): NodeFinding {
  return { part: 'vault', severity: severity ?? 'damage', where: `vault: ${where}`, what };
}

function checkedTransactions(
  block: Block,
  results: readonly TransactionResult[],
): { transaction: Transaction; code: ResultCode }[] {
  return block.transactions.flatMap((bytes, at) => {
    const decoded = decodeTransaction(bytes);
    const code = results[at]?.code;
    return decoded.ok && code !== undefined ? [{ transaction: decoded.value, code }] : [];
  });
}
