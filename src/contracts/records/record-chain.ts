import { type StateReader, type StateWriter, stateKey } from '../../ledger/index.ts';
import { CanonicalReader, CanonicalWriter, concatBytes, sha256Concat, utf8 } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';

const CHAIN_DOMAIN = utf8('careledger/record-chain/v1\0');

/** The pseudonym of record versions that are about no patient, such as an Organization. */
export const NO_PATIENT = new Uint8Array(32);

/** All versions that a custodian ever committed for one pseudonym, in order: how many, and a hash over them. */
export type RecordChain = { readonly count: number; readonly head: Uint8Array };

const EMPTY_CHAIN: RecordChain = { count: 0, head: new Uint8Array(32) };

export function recordChainKey(custodian: Uint8Array, pseudonym: Uint8Array): Uint8Array {
  return stateKey(CONTRACT.records, 'chain', concatBytes(custodian, pseudonym));
}

/** With it a patient checks that the custodian shows every version there is, and in the order they were written. */
export function readRecordChain(
  state: StateReader,
  custodian: Uint8Array,
  pseudonym: Uint8Array,
): RecordChain {
  const value = state.get(recordChainKey(custodian, pseudonym));
  if (value === undefined) return EMPTY_CHAIN;
  const reader = new CanonicalReader(value);
  const chain = { count: reader.u64(), head: reader.fixed(32) };
  reader.end();
  return chain;
}

export function writeRecordChain(
  state: StateWriter,
  custodian: Uint8Array,
  pseudonym: Uint8Array,
  chain: RecordChain,
): void {
  state.set(
    recordChainKey(custodian, pseudonym),
    new CanonicalWriter().u64(chain.count).fixed(chain.head, 32).finish(),
  );
}

export function extendRecordChain(chain: RecordChain, commitment: Uint8Array): RecordChain {
  return { count: chain.count + 1, head: sha256Concat(CHAIN_DOMAIN, chain.head, commitment) };
}
