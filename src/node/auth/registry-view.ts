import { readParty } from '../../contracts/index.ts';
import { readAccount, type StateReader } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import { bytesOfHex } from '../account-hex.ts';

const MAX_CACHED_PARTIES = 100_000;

/** A registered party as the edges need it, read from the ledger's state. */
export interface RegisteredParty {
  accountId: string;
  kind: 'organisation' | 'practitioner' | 'device' | 'patient';
  publicKey: Uint8Array;
  /** `suspended` also when the organisation it belongs to is. */
  status: 'active' | 'suspended';
  /** Account id of the organisation; its own for an organisation. */
  organisation: string;
  roles: string[];
}

/** Who is registered now. */
export interface RegistryView {
  lookUp(accountId: string): RegisteredParty | undefined;
  /** Call while a block that touches the registry is committed, before anybody hears of it. */
  changed(): void;
}

/** Parties by account id, read from the state when first asked and kept until the registry changes. */
export function createRegistryView(state: StateReader): RegistryView {
  const cached = new Map<string, RegisteredParty>();
  return {
    lookUp(accountId) {
      const known = cached.get(accountId);
      if (known !== undefined) return known;
      const party = readRegistered(state, accountId);
      if (party === undefined) return undefined;
      if (cached.size >= MAX_CACHED_PARTIES) cached.clear();
      cached.set(accountId, party);
      return party;
    },
    changed: () => cached.clear(),
  };
}

function readRegistered(state: StateReader, accountId: string): RegisteredParty | undefined {
  const id = bytesOfHex(accountId);
  const party = readParty(state, id);
  const account = readAccount(state, id);
  if (party === undefined || account === undefined) return undefined;
  const isSuspended = account.isSuspended || readAccount(state, party.organisation)?.isSuspended !== false;
  return {
    accountId,
    kind: party.kind,
    publicKey: account.publicKey,
    status: isSuspended ? 'suspended' : 'active',
    organisation: toHex(party.organisation),
    roles: [...party.roles],
  };
}
