import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { encodeRegistration, provePossession, type Role } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import { makePrivateFolder } from '../folder/files.ts';
import { createKey, type KeyFile, writeKeyFile } from '../folder/key-file.ts';
import { type AccountSigner, createAccountSigner } from '../ledger/account-signer.ts';
import { DEMO_KEYS } from './demo-keys.ts';

/** Registers a clinician here, and outside an institute with a researcher, and an insurer; writes their keys. */
export async function createDemoParties(options: {
  folder: string;
  engine: Engine;
  chainId: Uint8Array;
  custodian: AccountSigner;
}): Promise<void> {
  const { folder, engine, chainId, custodian } = options;
  makePrivateFolder(folder);
  const register = async (
    by: AccountSigner,
    kind: 'organisation' | 'practitioner',
    key: KeyFile,
    role: Role,
  ): Promise<void> => {
    const publicKey = bytesOfHex(key.publicKey);
    const possessionProof = provePossession(chainId, by.accountId, publicKey, key.seed);
    await by.submit(`register-${kind}`, [encodeRegistration({ publicKey, possessionProof, roles: [role] })]);
  };
  const keys = {
    clinician: createKey('Dr Demo, clinician'),
    researcher: createKey('Demo researcher'),
    institute: createKey('Demo institute'),
    insurer: createKey('Demo insurer'),
  };
  await register(custodian, 'practitioner', keys.clinician, 'physician');
  await register(custodian, 'organisation', keys.institute, 'research-institute');
  await register(custodian, 'organisation', keys.insurer, 'insurer');
  await register(
    createAccountSigner({ engine, chainId, seed: keys.institute.seed }),
    'practitioner',
    keys.researcher,
    'researcher',
  );
  for (const [name, key] of Object.entries(keys)) {
    const path = join(folder, DEMO_KEYS[name as keyof typeof DEMO_KEYS]);
    rmSync(path, { force: true });
    writeKeyFile(path, key);
  }
}
