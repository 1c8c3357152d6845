import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { restoreBackup, verifyManifest, writeManifest } from '../../engine/index.ts';
import { accountIdOf, publicKeyOf, signMessage } from '../../identity/index.ts';
import { chainIdOf, decodeGenesis } from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import { type LedgerOfBackup, openPassphraseKeys, restoreVault } from '../../vault/index.ts';
import { fileError, makePrivateFolder, readFileIfThere } from '../folder/files.ts';
import { readDescription } from '../folder/init-folder.ts';
import { type DataFolder, dataFolder } from '../folder/layout.ts';
import { findPassphrase } from '../folder/passphrase.ts';
import { readSigningKeys } from '../folder/signing-keys.ts';
import { headKeyOf } from '../network/head-key.ts';
import type { NodeRuntime } from '../runtime.ts';
import { auditLedger } from './audit.ts';
import { commitmentKey, LedgerFactsGatherer } from './ledger-facts.ts';

type Line = Record<string, unknown>;
type Tell = (line: Line) => void;

/** What a backup holds beside ledger and vault. Keys are not in it, so that an erasure reaches every backup. */
const PLAIN_FILES = ['genesis.bin', 'node.json'];
/** Of a node in a consortium. The keys of its consensus engine are not among them: a copy that votes again would be punished. */
const NETWORK_FILES = [
  'network.json',
  'network-card.json',
  'network-settings.json',
  'chain.json',
  'chain-members.json',
];

/** Copies a running node into a new folder, with a manifest that names any byte that changes later. */
export async function backupNode(runtime: NodeRuntime, target: string, tell: Tell): Promise<Line> {
  const folder = resolve(target);
  if (existsSync(folder))
    throw new AppError('folder-not-empty', `${folder} exists. Name a folder that does not exist yet.`);
  makePrivateFolder(folder);
  try {
    tell({ progress: 'ledger' });
    // The ledger first: all that the copy of it commits to is in the copy of the vault, which may have more.
    await runtime.engine.backup(join(folder, 'ledger'));
    tell({ progress: 'vault' });
    await runtime.vault.backup(join(folder, 'vault'));
    copyPlainFiles(runtime.opened.folder.root, folder);
    tell({ progress: 'manifest' });
    const { height } = runtime.engine.head();
    const sign = (message: Uint8Array): Uint8Array => signMessage(runtime.opened.keys.operatorSeed, message);
    await writeManifest(folder, { kind: 'node', chainId: toHex(runtime.chainId), height }, { sign });
    await runtime.vault.refuseShutBackup(join(folder, 'vault'));
    return { done: true, folder, height };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Checks every byte of a backup, and that the owner of the keys signed it; restores it as a new data folder with them. A member of a
 * consortium gets no ledger: the others have a newer one.
 */
export async function restoreNode(options: {
  backup: string;
  target: string;
  keys: string;
  passphrase: string | undefined;
  vaultUrl?: string;
}): Promise<void> {
  const target = dataFolder(options.target);
  if (existsSync(target.root))
    throw new AppError(
      'folder-not-empty',
      `${target.root} exists. Name a folder that does not exist yet: nothing is overwritten.`,
    );
  try {
    await restoreParts(options, target);
    // The description is written last: without it the folder is not taken for a complete one.
    copyPlainFiles(options.backup, target.root);
  } catch (error) {
    rmSync(target.root, { recursive: true, force: true });
    throw error;
  }
}

export interface BackupFinding {
  where: string;
  what: string;
}

/** What a backup says it is of: the chain, and the key that has to have signed it. Absent where its genesis or card cannot be read. */
export interface InspectedBackup {
  chainId?: string;
  signer?: string;
  findings: BackupFinding[];
}

/**
 * Everything that is wrong with a backup. Whoever rewrites a whole backup can put their own genesis and key in it: only
 * who knows the chain and the signer, or gives the `signer`, can tell.
 */
export async function inspectBackup(folder: string, signer?: Uint8Array): Promise<InspectedBackup> {
  const claimed = claimedBy(folder);
  const key = signer ?? claimed.key;
  const findings = [...claimed.findings];
  for await (const { file, offset, message } of verifyManifest(resolve(folder), { signer: key })) {
    findings.push({ where: offset === undefined ? file : `${file} at byte ${offset}`, what: message });
  }
  const { chainId } = claimed;
  return {
    ...(chainId !== undefined && { chainId }),
    ...(key !== undefined && { signer: toHex(key) }),
    findings,
  };
}

/** Without a genesis and, in a consortium, a card that can be read, nobody can say whose signature is asked for. */
function claimedBy(folder: string): { chainId?: string; key?: Uint8Array; findings: BackupFinding[] } {
  const bytes = readFileIfThere(join(folder, 'genesis.bin')) ?? new Uint8Array(0);
  const genesis = decodeGenesis(bytes);
  if (!genesis.ok) {
    const what = 'The genesis cannot be read, so nobody can tell whose backup this is.';
    return { findings: [{ where: 'genesis.bin', what }] };
  }
  const chainId = toHex(chainIdOf(genesis.value));
  try {
    return { chainId, key: headKeyOf(dataFolder(folder), genesis.value), findings: [] };
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return { chainId, findings: [{ where: 'network-card.json', what: cause.message }] };
  }
}

async function refuseDamage(backup: string, signer: Uint8Array): Promise<void> {
  const [first] = (await inspectBackup(backup, signer)).findings;
  if (first !== undefined)
    throw new AppError(
      'damaged',
      `The backup is damaged, or of another node than --keys: ${first.where}: ${first.what} Use another one.`,
    );
}

async function restoreParts(options: Parameters<typeof restoreNode>[0], target: DataFolder): Promise<void> {
  for (const folder of [target.root, target.keys, target.vault]) makePrivateFolder(folder);
  copyKeys(options.keys, target.keys);
  const passphrase = findPassphrase(target, options.passphrase).text;
  const { operatorSeed, custodianSeed } = readSigningKeys(target.signingKeys, passphrase);
  await refuseDamage(options.backup, publicKeyOf(operatorSeed));
  // A member's ledger comes from the others: a consensus engine that begins anew fits no ledger that is further.
  const isMember = readDescription(dataFolder(options.backup)).engine === 'cometbft';
  if (!isMember) await restoreBackup(join(options.backup, 'ledger'), target.ledger);
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
  const url = options.vaultUrl ?? `sqlite:${join(target.vault, 'vault.db')}`;
  const custodian = accountIdOf(publicKeyOf(custodianSeed));
  const ledger = isMember ? undefined : await ledgerOf(dataFolder(options.backup), custodian);
  const keys = await openPassphraseKeys({ path: target.vaultKeys, passphrase, random });
  try {
    const vault = { url, folder: target.vault, keys, random, now: Date.now };
    await restoreVault(join(options.backup, 'vault'), vault, ledger);
  } finally {
    keys.close();
  }
}

/** What the ledger in a backup has of the vault beside it; nobody can tell where it is damaged. */
async function ledgerOf(backup: DataFolder, custodian: Uint8Array): Promise<LedgerOfBackup | undefined> {
  const genesis = decodeGenesis(readFileIfThere(backup.genesis) ?? new Uint8Array(0));
  if (!genesis.ok) return undefined;
  const facts = new LedgerFactsGatherer(custodian);
  const ignore = (): void => undefined;
  if (!(await auditLedger(backup, genesis.value, facts, ignore, ignore))) return undefined;
  return {
    has: (commitment) => facts.commitments.has(commitmentKey(commitment)),
    accessLogSize: facts.anchors.at(-1)?.logSize ?? 0,
  };
}

function copyKeys(from: string, to: string): void {
  if (!existsSync(from)) {
    throw new AppError(
      'not-found',
      `There are no keys at ${from}. Name the keys folder of the node that was backed up with --keys.`,
    );
  }
  for (const name of readdirSync(from)) copy(join(from, name), join(to, name));
}

function copyPlainFiles(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const name of PLAIN_FILES) copy(join(from, name), join(to, name));
  for (const name of NETWORK_FILES) if (existsSync(join(from, name))) copy(join(from, name), join(to, name));
}

function copy(from: string, to: string): void {
  try {
    copyFileSync(from, to);
  } catch (cause) {
    throw fileError('copy', from, cause);
  }
}
