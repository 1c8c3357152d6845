import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, verifyManifest, writeManifest } from '../../engine/index.ts';
import { signMessage } from '../../identity/index.ts';
import { AppError } from '../../shared/index.ts';
import { fileError, readFileIfThere, syncFolder } from './files.ts';
import type { OpenedFolder } from './init-folder.ts';
import type { DataFolder } from './layout.ts';

export const SEAL_NAME = 'seal.jsonl';
const NEW_SEAL_NAME = `${SEAL_NAME}.new`;
/** These vouch for themselves: the ledger by its frames, database and access log by seals under the vault's own key. */
const VOUCHED_FOR_ELSEWHERE = new Set([
  SEAL_NAME,
  NEW_SEAL_NAME,
  'ledger/blocks.log',
  'vault/vault.db',
  'vault/vault.db.seal',
  'vault/access.log',
  'vault/access.log.seal',
]);
/** What a start reads before it has anything to check it against. */
const CHECKED_AT_START = ['node.json', 'genesis.bin', 'keys/signing.json', 'keys/vault.keys'];
/** The owner may move these elsewhere while the node is stopped; what is there has to be as it was. */
const MAY_BE_TAKEN_AWAY = /^(demo\/|keys\/passphrase$)/;

/** The consensus engine looks after its own folder; its operator may rotate keys and change settings in it. */
const OF_CONSENSUS = 'consensus/';

const covers = (name: string): boolean => !VOUCHED_FOR_ELSEWHERE.has(name) && !name.startsWith(OF_CONSENSUS);

/** When a node has stopped: a hash of every 64 KiB of every file in its folder, signed by its operator's key. */
export async function sealFolder({ folder, keys }: Pick<OpenedFolder, 'folder' | 'keys'>): Promise<void> {
  rmSync(join(folder.root, NEW_SEAL_NAME), { force: true });
  const sign = (message: Uint8Array): Uint8Array => signMessage(keys.operatorSeed, message);
  await writeManifest(folder.root, { kind: 'stopped node' }, { name: NEW_SEAL_NAME, covers, sign });
  try {
    renameSync(join(folder.root, NEW_SEAL_NAME), join(folder.root, SEAL_NAME));
    syncFolder(folder.root);
  } catch (cause) {
    throw fileError('write', join(folder.root, SEAL_NAME), cause);
  }
}

/** A node that runs changes its files: the seal says nothing any more. Tells whether there was one. */
export function removeFolderSeal({ root }: DataFolder): boolean {
  const path = join(root, SEAL_NAME);
  if (!existsSync(path)) return false;
  try {
    rmSync(path);
    syncFolder(root);
    return true;
  } catch (cause) {
    throw fileError('remove', path, cause);
  }
}

/** What changed since the node stopped; `operatorKey` is left out where the genesis cannot be read. */
export async function folderSealFindings(
  { root }: DataFolder,
  operatorKey: Uint8Array | undefined,
): Promise<Finding[]> {
  if (readFileIfThere(join(root, SEAL_NAME)) === undefined) return [unsealed()];
  const findings: Finding[] = [];
  for await (const finding of verifyManifest(root, { name: SEAL_NAME, covers, signer: operatorKey })) {
    const isHarmless = finding.code === 'file-missing' && MAY_BE_TAKEN_AWAY.test(finding.file);
    findings.push(isHarmless ? { ...finding, severity: 'note' } : finding);
  }
  return findings;
}

/** Refuses to start on keys, genesis or description that are not those the node stopped with. */
export async function refuseChangedFolder(folder: DataFolder): Promise<void> {
  if (!existsSync(join(folder.root, SEAL_NAME))) return;
  const atStart = (name: string): boolean => CHECKED_AT_START.includes(name);
  for await (const { file, code } of verifyManifest(folder.root, { name: SEAL_NAME, covers: atStart })) {
    if (!atStart(file) && file !== SEAL_NAME) continue;
    const what = code === 'file-missing' ? 'is missing' : 'changed while the node was stopped';
    throw new AppError(
      'damaged',
      `${join(folder.root, file)} ${what}. Nothing was touched. Run the audit, and restore the file from its copy.`,
    );
  }
}

function unsealed(): Finding {
  const message =
    'The folder has no seal: the node was not stopped in order. Bytes that hold nothing, such as free pages of a database, are not vouched for.';
  return { severity: 'note', code: 'file-missing', file: SEAL_NAME, message };
}
