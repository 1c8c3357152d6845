import { readAccessAnchor } from '../../contracts/index.ts';
import { type Finding, verifyLedgerFolder } from '../../engine/index.ts';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import { chainIdOf } from '../../ledger/index.ts';
import { AppError, equalBytes } from '../../shared/index.ts';
import type { AuditFinding, Vault } from '../../vault/index.ts';
import { openFolder } from '../folder/init-folder.ts';
import type { DataFolder } from '../folder/layout.ts';
import { openNodeVault } from '../open-runtime.ts';
import type { NodeRuntime } from '../runtime.ts';

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
export async function auditNode(runtime: NodeRuntime, tell: Tell): Promise<AuditSummary> {
  const { folder } = runtime.opened;
  return collect(tell, async (found, progress) => {
    await auditLedger(folder, runtime.chainId, found, progress);
    await auditVault(runtime.vault, found, progress);
    for (const finding of anchorFindings(runtime)) found(finding);
  });
}

/** Audits the folder of a stopped node, changing nothing; also one that is too damaged to start. */
export async function auditFolder(
  options: { path: string; passphrase: string | undefined; vaultUrl?: string },
  tell: Tell,
): Promise<AuditSummary> {
  const opened = openFolder(options.path, options.passphrase);
  const publicKey = publicKeyOf(opened.keys.custodianSeed);
  return collect(tell, async (found, progress) => {
    await auditLedger(opened.folder, chainIdOf(opened.genesis), found, progress);
    const custodian = { publicKey, accountId: accountIdOf(publicKey) };
    try {
      await auditVaultOf(
        openNodeVault(opened, { ...options, tolerateDamage: true }, custodian),
        found,
        progress,
      );
    } catch (error) {
      // A vault too damaged to be walked is one finding; anything else is no answer about damage.
      if (!(error instanceof AppError) || error.code !== 'damaged') throw error;
      found({ part: 'vault', severity: 'damage', where: opened.folder.vault, what: error.message });
    }
  });
}

async function auditVaultOf(opening: Promise<Vault>, found: Found, progress: Tell): Promise<void> {
  const vault = await opening;
  try {
    await auditVault(vault, found, progress);
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

async function auditLedger(
  folder: DataFolder,
  chainId: Uint8Array,
  found: Found,
  progress: Tell,
): Promise<void> {
  const onProgress = (height: number, done: number, total: number): void =>
    progress({ progress: 'ledger', height, done, total });
  for await (const finding of verifyLedgerFolder(folder.ledger, {
    chainId,
    onProgress: everyNth(1000, onProgress),
  })) {
    found(fromLedger(finding));
  }
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

async function auditVault(vault: Vault, found: Found, progress: Tell): Promise<void> {
  for await (const finding of vault.audit((step) => progress({ progress: 'vault', ...step })))
    found(fromVault(finding));
}

function fromVault({ where, what }: AuditFinding): NodeFinding {
  return { part: 'vault', severity: 'damage', where: `vault: ${where}`, what };
}

/** The access log must still have, at the size that was anchored, the root that is on the ledger. */
function anchorFindings({ engine, custodian, vault }: NodeRuntime): NodeFinding[] {
  const anchor = readAccessAnchor(engine.state, custodian.accountId);
  if (anchor === undefined) return [];
  const { accessLog } = vault;
  const holds =
    accessLog.size >= anchor.logSize && equalBytes(accessLog.root(anchor.logSize), anchor.logRoot);
  if (holds) return [];
  const what = `The access log is not the one whose root was anchored at height ${anchor.height}.`;
  return [{ part: 'vault', severity: 'damage', where: 'access log', what }];
}
