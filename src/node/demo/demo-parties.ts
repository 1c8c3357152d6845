import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { encodeRegistration, provePossession, type Role } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import { makePrivateFolder } from '../folder/files.ts';
import { createKey, type KeyFile, writeKeyFile } from '../folder/key-file.ts';
import { type AccountSigner, createAccountSigner } from '../ledger/account-signer.ts';
import { DEMO_KEYS } from './demo-keys.ts';

/**
 * Registers a clinician here, and outside an institute with a researcher, and an insurer; writes their keys. In a consortium no member
 * can make an organisation by itself, so there it is a clinician alone.
 */
export async function createDemoParties(options: {
  folder: string;
  engine: Engine;
  chainId: Uint8Array;
  custodian: AccountSigner;
  isAlone: boolean;
}): Promise<void> {
  const { folder, engine, chainId, custodian, isAlone } = options;
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
  const write = (name: keyof typeof DEMO_KEYS, key: KeyFile): void => {
    const path = join(folder, DEMO_KEYS[name]);
    rmSync(path, { force: true });
    writeKeyFile(path, key);
  };
  const clinician = createKey('Dr Demo, clinician');
  await register(custodian, 'practitioner', clinician, 'physician');
  write('clinician', clinician);
  if (!isAlone) return;
  const [researcher, institute, insurer] = ['researcher', 'institute', 'insurer'].map((name) =>
    createKey(`Demo ${name}`),
  ) as [KeyFile, KeyFile, KeyFile];
  await register(custodian, 'organisation', institute, 'research-institute');
  await register(custodian, 'organisation', insurer, 'insurer');
  const employer = createAccountSigner({ engine, chainId, seed: institute.seed });
  await register(employer, 'practitioner', researcher, 'researcher');
  write('researcher', researcher);
  write('institute', institute);
  write('insurer', insurer);
}
