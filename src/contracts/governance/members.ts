import { type StateReader, type StateWriter, stateKey } from '../../ledger/index.ts';
import { CanonicalReader, CanonicalWriter, compareBytes, equalBytes } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';

const ID_BYTES = 32;
/** A genesis has no more either. */
export const MAX_MEMBERS = 1000;
const MEMBERS_KEY = stateKey(CONTRACT.governance, 'members', new Uint8Array());

/** The organisations that have a vote, by ascending account id. */
export function readMembers(state: StateReader): readonly Uint8Array[] {
  const value = state.get(MEMBERS_KEY);
  if (value === undefined) return [];
  const reader = new CanonicalReader(value);
  const members = Array.from({ length: reader.u16() }, () => reader.fixed(ID_BYTES));
  reader.end();
  return members;
}

export function writeMembers(state: StateWriter, members: readonly Uint8Array[]): void {
  const sorted = [...members].sort(compareBytes);
  const writer = new CanonicalWriter().u16(sorted.length);
  for (const member of sorted) writer.fixed(member, ID_BYTES);
  state.set(MEMBERS_KEY, writer.finish());
}

export function isAmong(members: readonly Uint8Array[], accountId: Uint8Array): boolean {
  return members.some((member) => equalBytes(member, accountId));
}

/** Where there are several members none of them decides alone about organisations, or about the parties of another. */
export function isDecidedByVote(state: StateReader): boolean {
  return readMembers(state).length > 1;
}
