import {
  type ActionName,
  encodeRegistration,
  encodeSuspension,
  ROLES,
  type Role,
} from '../../contracts/index.ts';
import { accountIdOf } from '../../identity/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import type { AccountSigner } from '../ledger/account-signer.ts';

/** The key of a party to be registered, and the proof that whoever asks holds it. */
export interface PartyRegistration {
  kind: 'organisation' | 'practitioner' | 'device';
  publicKey: Uint8Array;
  possessionProof: Uint8Array;
  roles: string[];
}

const ACTION_OF_KIND: Record<PartyRegistration['kind'], ActionName> = {
  organisation: 'register-organisation',
  practitioner: 'register-practitioner',
  device: 'register-device',
};

/** Registers a party under this custodian (an organisation under itself); returns its account id. */
export async function registerParty(custodian: AccountSigner, party: PartyRegistration): Promise<string> {
  const { publicKey, possessionProof } = party;
  const roles = party.roles.map(checkedRole);
  await custodian.submit(ACTION_OF_KIND[party.kind], [
    encodeRegistration({ publicKey, possessionProof, roles }),
  ]);
  return toHex(accountIdOf(publicKey));
}

/** Suspends or reinstates a party; effective for every request that starts after this resolves. */
export async function setSuspended(
  custodian: AccountSigner,
  accountId: string,
  isSuspended: boolean,
): Promise<void> {
  const payload = encodeSuspension({ accountId: bytesOfHex(accountId) });
  await custodian.submit(isSuspended ? 'suspend-party' : 'reinstate-party', [payload]);
}

function checkedRole(name: string): Role {
  if (name in ROLES) return name as Role;
  throw new AppError(
    'invalid-request',
    `There is no role "${name.slice(0, 40)}". Roles: ${Object.keys(ROLES).join(', ')}.`,
  );
}
