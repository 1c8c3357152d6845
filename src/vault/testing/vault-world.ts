import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '../../shared/index.ts';
import {
  openPassphraseKeys,
  openVault,
  type PassphraseKeys,
  type SealedWrite,
  type Vault,
  type VaultOptions,
} from '../index.ts';

/** One vault in a temporary folder, with everything it needs; used by the tests of the vault. */
export type VaultWorld = {
  readonly folder: string;
  readonly url: string;
  keys: PassphraseKeys;
  vault: Vault;
  reopen(options?: Partial<VaultOptions>): Promise<Vault>;
  /** Opens the vault again without having closed it cleanly: as after a crash, with the seal missing. */
  readonly options: VaultOptions;
  remove(): Promise<void>;
};

/** Deterministic: a hash chain from the seed. Only for tests. */
export function seededRandom(seed: string): (length: number) => Uint8Array {
  let state = createHash('sha256').update(seed).digest();
  return (length) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += state.length) {
      state = createHash('sha256').update(state).digest();
      bytes.set(state.subarray(0, Math.min(state.length, length - at)), at);
    }
    return bytes;
  };
}

export const NOW_MS = 1_700_000_000_000;

/** `url` absent: a SQLite file in the folder. */
export async function createVaultWorld(seed: string, url?: string): Promise<VaultWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-vault-'));
  const random = seededRandom(seed);
  const keys = await openPassphraseKeys({
    path: join(folder, 'vault-keys'),
    passphrase: 'correct horse',
    random,
    create: true,
    costLog2: 8,
  });
  const pair = generateKeyPairSync('ed25519');
  const publicKey = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  const signer = {
    publicKey,
    sign: (message: Uint8Array) => new Uint8Array(sign(null, message, pair.privateKey)),
  };
  const where = url ?? `sqlite:${join(folder, 'vault.db')}`;
  const options: VaultOptions = {
    url: where,
    folder: join(folder, 'files'),
    keys,
    signer,
    now: () => NOW_MS,
    random,
  };
  const world: VaultWorld = {
    folder,
    url: where,
    keys,
    options,
    vault: await openVault(options),
    reopen: async (changes = {}) => {
      await world.vault.close();
      world.vault = await openVault({ ...options, ...changes });
      return world.vault;
    },
    remove: async () => {
      await world.vault.close().catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

/** A small Observation; `changes` say what differs. */
export function sampleWrite(id: string, changes: Partial<SealedWrite> = {}, version = 1): SealedWrite {
  return {
    key: { resourceType: 'Observation', id, version },
    subject: 'patient-1',
    labels: [],
    lastUpdatedMs: NOW_MS + version,
    deleted: false,
    plaintext: utf8(
      JSON.stringify({ resourceType: 'Observation', id, note: `content of ${id} version ${version}` }),
    ),
    tokens: [{ param: 'code', kind: 'code', value: 'blood-pressure' }],
    ...changes,
  };
}

/** Every file below a folder with its bytes, for looking for what must not be there. */
export function filesBelow(folder: string): { readonly path: string; readonly bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => ({ path, bytes: readFileSync(path) }));
}
