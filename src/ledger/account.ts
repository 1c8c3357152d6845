import type { PublicKey } from '../identity/index.ts';
import { CanonicalReader, CanonicalWriter } from '../shared/index.ts';
import { type StateReader, type StateWriter, stateKey } from './state/state-key.ts';

/** The ledger's own table: contract 0 is the ledger itself. */
const LEDGER = 0;
const ACTIVE = 1;
const SUSPENDED = 2;

/** What the ledger has to know of whoever signs transactions; who that is, is the registry's business. */
export type Account = {
  readonly publicKey: PublicKey;
  /** The sequence number that the next transaction must have. */
  readonly nextSequence: number;
  readonly isSuspended: boolean;
};

export function accountKey(accountId: Uint8Array): Uint8Array {
  return stateKey(LEDGER, 'account', accountId);
}

export function readAccount(state: StateReader, accountId: Uint8Array): Account | undefined {
  const value = state.get(accountKey(accountId));
  return value === undefined ? undefined : decodeAccount(value);
}

export function writeAccount(state: StateWriter, accountId: Uint8Array, account: Account): void {
  state.set(accountKey(accountId), encodeAccount(account));
}

function encodeAccount(account: Account): Uint8Array {
  return new CanonicalWriter()
    .fixed(account.publicKey, 32)
    .u64(account.nextSequence)
    .u8(account.isSuspended ? SUSPENDED : ACTIVE)
    .finish();
}

function decodeAccount(bytes: Uint8Array): Account {
  const reader = new CanonicalReader(bytes);
  const account = {
    publicKey: reader.fixed(32),
    nextSequence: reader.u64(),
    isSuspended: reader.u8() === SUSPENDED,
  };
  reader.end();
  return account;
}
