import {
  admit,
  createOverlay,
  decodeTransaction,
  RESULT_CODES,
  type ResultCode,
  readAccount,
  type StateOverlay,
  signingBytes,
  type Transaction,
  type VerifySignature,
  writeAccount,
} from '../../ledger/index.ts';
import { sha256 } from '../../shared/index.ts';
import { mapKey } from '../state-values.ts';
import type { ConsensusChain } from './consensus-chain.ts';

/**
 * Whether a transaction may wait in the mempool: the one admission predicate, on the state with what waits already. It is
 * asked again about everything that waits after each block. Each connection has its own: a mempool begins empty with it.
 */
export class MempoolAdmission {
  readonly #chain: ConsensusChain;
  #waiting: StateOverlay;
  /** The hash of what waits, by signer and sequence number. */
  #waitingHashes = new Map<string, string>();
  /** What waits, by its hash; and what waited before the last block, so that to ask again about it costs no decoding. */
  #waitingByHash = new Map<string, Transaction>();
  #waitedByHash = new Map<string, Transaction>();
  #commits = 0;
  /** Settles when every transaction that came before has its verdict. */
  #before: Promise<unknown> = Promise.resolve();
  #pending = 0;

  constructor(chain: ConsensusChain) {
    this.#chain = chain;
    this.#waiting = createOverlay(chain.parts.state.values);
  }

  /** After a block the consensus engine asks again about all that waits, so it is forgotten here. */
  #followChain(): void {
    if (this.#commits === this.#chain.commits) return;
    this.#commits = this.#chain.commits;
    this.#waiting = createOverlay(this.#chain.parts.state.values);
    this.#waitingHashes = new Map();
    this.#waitedByHash = this.#waitingByHash;
    this.#waitingByHash = new Map();
  }

  /** Signatures are verified side by side; the verdicts are given in the order in which the transactions came. */
  check(bytes: Uint8Array): ResultCode | Promise<ResultCode> {
    this.#followChain();
    const hash = mapKey(sha256(bytes));
    const waited = this.#waitedByHash.get(hash);
    if (waited !== undefined && this.#pending === 0) return this.#admit(hash, waited, true);
    const decoded = decodeTransaction(bytes);
    if (!decoded.ok) return RESULT_CODES['malformed-transaction'];
    const transaction = decoded.value;
    const { signatures, state } = this.#chain.parts;
    const account = readAccount(state.values, transaction.header.signer);
    if (account === undefined) return RESULT_CODES['unknown-signer'];
    const { signature, header } = transaction;
    const check = { publicKey: account.publicKey, message: signingBytes(header), signature };
    if (this.#pending === 0 && signatures.isKnown(check)) return this.#admit(hash, transaction, true);
    return this.#inOrder(signatures.verifyLater(check), hash, transaction);
  }

  #inOrder(verified: Promise<boolean>, hash: string, transaction: Transaction): Promise<ResultCode> {
    this.#pending += 1;
    const verdict = Promise.all([verified, this.#before]).then(([isValid]) => {
      this.#pending -= 1;
      return this.#admit(hash, transaction, isValid);
    });
    this.#before = verdict;
    return verdict;
  }

  #admit(hash: string, transaction: Transaction, isValid: boolean): ResultCode {
    const { header } = transaction;
    const place = `${mapKey(header.signer)}${header.sequence}`;
    // What waits may wait, however often it is asked about: it can come from several peers, and be handed over again.
    if (isValid && this.#waitingHashes.get(place) === hash) return RESULT_CODES.ok;
    const { chainId, contracts } = this.#chain.parts.rules;
    const { signatures } = this.#chain.parts;
    // A signature that failed fails again here, so that of two faults the same one is named as in a block.
    const verify: VerifySignature = (publicKey, message, signature) =>
      isValid && signatures.verify(publicKey, message, signature);
    const rules = { chainId, contracts, verify };
    const admission = admit(this.#waiting, this.#chain.nextHeight, transaction, rules);
    if (admission.code !== RESULT_CODES.ok) return admission.code;
    const account = { ...admission.account, nextSequence: header.sequence + 1 };
    writeAccount(this.#waiting, header.signer, account);
    this.#waitingHashes.set(place, hash);
    this.#waitingByHash.set(hash, transaction);
    return RESULT_CODES.ok;
  }
}
