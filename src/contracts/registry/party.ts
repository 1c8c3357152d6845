import {
  readAccount,
  type StateReader,
  type StateWriter,
  stateKey,
  writeAccount,
} from '../../ledger/index.ts';
import { CanonicalReader, CanonicalWriter, DecodeError } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { ROLES, type Role, roleName } from './role.ts';

export const PARTY_KINDS = { organisation: 1, practitioner: 2, device: 3, patient: 4 } as const;
export type PartyKind = keyof typeof PARTY_KINDS;
export const MAX_ROLES = 16;
const ID_BYTES = 32;
const KIND_NAMES = new Map<number, PartyKind>(
  Object.entries(PARTY_KINDS).map(([name, code]) => [code, name as PartyKind]),
);

/** Who an account belongs to, as far as the ledger may know: a kind, an organisation, roles. Names stay in the vault. */
export type Party = {
  readonly kind: PartyKind;
  /** The employer of a practitioner, the owner of a device, the custodian of a patient; an organisation's own id for itself. */
  readonly organisation: Uint8Array;
  readonly roles: readonly Role[];
  readonly registeredHeight: number;
};

export function partyKey(accountId: Uint8Array): Uint8Array {
  return stateKey(CONTRACT.registry, 'party', accountId);
}

export function readParty(state: StateReader, accountId: Uint8Array): Party | undefined {
  const value = state.get(partyKey(accountId));
  return value === undefined ? undefined : decodeParty(value);
}

/** Registers a party with its first key, from sequence 0. */
export function createParty(
  state: StateWriter,
  accountId: Uint8Array,
  publicKey: Uint8Array,
  party: Party,
): void {
  writeAccount(state, accountId, { publicKey, nextSequence: 0, isSuspended: false });
  writeParty(state, accountId, party);
}

export function writeParty(state: StateWriter, accountId: Uint8Array, party: Party): void {
  state.set(partyKey(accountId), encodeParty(party));
}

/** Whether the account is an organisation that is registered and not suspended. */
export function isActiveOrganisation(state: StateReader, accountId: Uint8Array): boolean {
  return (
    readParty(state, accountId)?.kind === 'organisation' &&
    readAccount(state, accountId)?.isSuspended === false
  );
}

/**
 * Practitioners and devices act for their organisation: while it is suspended they sign nothing. A patient acts for nobody
 * else, so a custodian that goes takes from no patient the power to revoke.
 */
export function actsForSuspended(state: StateReader, accountId: Uint8Array): boolean {
  const party = readParty(state, accountId);
  if (party?.kind !== 'practitioner' && party?.kind !== 'device') return false;
  return !isActiveOrganisation(state, party.organisation);
}

export function writeRoles(writer: CanonicalWriter, roles: readonly Role[]): CanonicalWriter {
  const codes = roles.map((role) => ROLES[role]).sort((left, right) => left - right);
  writer.u8(codes.length);
  for (const code of codes) writer.u16(code);
  return writer;
}

/** Ascending codes of the table, each once: one byte string for one set of roles. */
export function readRoles(reader: CanonicalReader): Role[] {
  const count = reader.u8();
  if (count > MAX_ROLES) throw new DecodeError('too-long', `a party has at most ${MAX_ROLES} roles`);
  let previous = 0;
  return Array.from({ length: count }, () => {
    const code = reader.u16();
    const name = roleName(code);
    if (name === undefined || code <= previous)
      throw new DecodeError('invalid-value', 'roles are known codes in ascending order');
    previous = code;
    return name;
  });
}

export function readKind(reader: CanonicalReader): PartyKind {
  const kind = KIND_NAMES.get(reader.u8());
  if (kind === undefined) throw new DecodeError('invalid-value', 'the kind of party is not known');
  return kind;
}

function encodeParty(party: Party): Uint8Array {
  const writer = new CanonicalWriter().u8(PARTY_KINDS[party.kind]).fixed(party.organisation, ID_BYTES);
  return writeRoles(writer, party.roles).u64(party.registeredHeight).finish();
}

export function decodeParty(bytes: Uint8Array): Party {
  const reader = new CanonicalReader(bytes);
  const party = {
    kind: readKind(reader),
    organisation: reader.fixed(ID_BYTES),
    roles: readRoles(reader),
    registeredHeight: reader.u64(),
  };
  reader.end();
  return party;
}
