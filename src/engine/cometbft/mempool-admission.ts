import { readMembers } from '../../contracts/index.ts';
import {
  type Account,
  admit,
  createOverlay,
  decodeTransaction,
  HEADER_BYTES,
  RESULT_CODES,
  type ResultCode,
  readSigner,
  signingBytes,
  type Transaction,
  type VerifySignature,
  writeAccount,
} from '../../ledger/index.ts';
import { equalBytes } from '../../shared/index.ts';
import { mapKey } from '../state-values.ts';
import type { ConsensusChain } from './consensus-chain.ts';
import { type CountedTransaction, MempoolLoad } from './mempool-load.ts';
import { shareHolderOf } from './share-holder.ts';
import { isUrgent } from './urgent-actions.ts';

const SIGNATURE_BYTES = 64;

/** The ledger's result code; or `busy`, where the transaction may enter a block but has to be submitted again later. */
export type MempoolVerdict = ResultCode | 'busy';

/** A transaction that may wait: its bytes, and the account that it was admitted for. */
type Waiting = {
  readonly bytes: Uint8Array;
  readonly signer: string;
  readonly transaction: Transaction;
  readonly account: Account;
};

/**
 * Whether a transaction may wait in the mempool: the one admission predicate, on the state with what waits already. It is
 * asked again about everything that waits after each block. Each connection has its own: a mempool begins empty with it.
 */
export class MempoolAdmission {
  readonly #chain: ConsensusChain;
  /** The signers of what waits, as their accounts are behind it. */
  #accounts = new Map<string, Account>();
  /** What waits, by its signature; and what waited before the last block, so that to ask again about it costs little. */
  #waiting = new Map<string, Waiting>();
  #waited = new Map<string, Waiting>();
  #load: MempoolLoad;
  #commits = 0;
  /** Settles when every transaction that came before has its verdict. */
  #before: Promise<unknown> = Promise.resolve();
  #pending = 0;

  constructor(chain: ConsensusChain) {
    this.#chain = chain;
    this.#load = this.#emptyLoad();
  }

  #emptyLoad(): MempoolLoad {
    return new MempoolLoad(readMembers(this.#chain.parts.state.values).length);
  }

  /** After a block the consensus engine asks again about all that waits, so it is forgotten here. */
  #followChain(): void {
    if (this.#commits === this.#chain.commits) return;
    this.#commits = this.#chain.commits;
    this.#accounts = new Map();
    this.#waited = this.#waiting;
    this.#waiting = new Map();
    this.#load = this.#emptyLoad();
  }

  /**
   * Signatures are verified side by side; the verdicts are given in the order in which the transactions came. What waits and is
   * asked about again may stay however full the mempool is.
   */
  check(bytes: Uint8Array, isRecheck: boolean): MempoolVerdict | Promise<MempoolVerdict> {
    this.#followChain();
    const name = nameOf(bytes);
    if (this.#pending === 0 && this.#mayStay(name, bytes)) return RESULT_CODES.ok;
    const decoded = decodeTransaction(bytes);
    if (!decoded.ok) return RESULT_CODES['malformed-transaction'];
    const transaction = decoded.value;
    const account = this.#accountOf(mapKey(transaction.header.signer), transaction);
    if (account === undefined) return RESULT_CODES['unknown-signer'];
    const refusal = this.#refusalByHeader(transaction);
    if (refusal !== undefined) return refusal;
    const { signature, header } = transaction;
    const check = { publicKey: account.publicKey, message: signingBytes(header), signature };
    const { signatures } = this.#chain.parts;
    if (this.#pending === 0 && signatures.isKnown(check))
      return this.#admit(bytes, transaction, true, isRecheck);
    return this.#inOrder(signatures.verifyLater(check), bytes, transaction, isRecheck);
  }

  /**
   * Whether it waits already, or did before the last block and admission would find all as it was: the signer's account with the
   * number that is next, and whether it may sign, which is all of the state that it looks at. What was let in too early for its height cannot be now.
   */
  #mayStay(name: string, bytes: Uint8Array): boolean {
    // What waits may wait, however often it is asked about: it can come from several peers, and be handed over again.
    if (isSame(this.#waiting.get(name), bytes)) return true;
    const waited = this.#waited.get(name);
    if (waited === undefined || !isSame(waited, bytes)) return false;
    const { signer, transaction, account } = waited;
    const now = this.#accountOf(signer, transaction);
    if (now === undefined || !areAlike(now, account)) return false;
    if (transaction.header.lastValidHeight < this.#chain.nextHeight) return false;
    this.#keep(name, waited);
    return true;
  }

  #accountOf(signer: string, { header }: Transaction): Account | undefined {
    const { state, rules } = this.#chain.parts;
    return this.#accounts.get(signer) ?? readSigner(state.values, header.signer, rules.contracts);
  }

  /**
   * What is wrong with it by the state alone, whatever its signature is and whatever waits before it. To check a signature takes many
   * times as long, and blocks that everybody has are full of valid ones which anybody can send again.
   */
  #refusalByHeader(transaction: Transaction): ResultCode | undefined {
    const { state, rules } = this.#chain.parts;
    // Without actions, admission ends where the header is right.
    const contracts = { ...rules.contracts, find: () => undefined };
    const onlyHeader = { chainId: rules.chainId, contracts, verify: () => false };
    const { code } = admit(state.values, this.#chain.nextHeight, transaction, onlyHeader);
    const isOpen = code === RESULT_CODES['unknown-action'] || code === RESULT_CODES['sequence-gap'];
    return isOpen ? undefined : code;
  }

  #inOrder(
    verified: Promise<boolean>,
    bytes: Uint8Array,
    transaction: Transaction,
    isRecheck: boolean,
  ): Promise<MempoolVerdict> {
    this.#pending += 1;
    const verdict = Promise.all([verified, this.#before]).then(([isValid]) => {
      this.#pending -= 1;
      return this.#admit(bytes, transaction, isValid, isRecheck);
    });
    this.#before = verdict;
    return verdict;
  }

  #admit(bytes: Uint8Array, transaction: Transaction, isValid: boolean, isRecheck: boolean): MempoolVerdict {
    this.#followChain();
    const name = nameOf(bytes);
    if (isValid && this.#mayStay(name, bytes)) return RESULT_CODES.ok;
    const { chainId, contracts } = this.#chain.parts.rules;
    const { signatures, state } = this.#chain.parts;
    const { header } = transaction;
    const signer = mapKey(header.signer);
    // First, so that what comes behind one that found no room is told to try again too, and not that it came too early.
    if (isValid && !isRecheck && !this.#load.hasRoomFor(this.#countedAs(bytes, transaction))) return 'busy';
    const behindWaiting = createOverlay(state.values);
    const account = this.#accounts.get(signer);
    if (account !== undefined) writeAccount(behindWaiting, header.signer, account);
    // A signature that failed fails again here, so that of two faults the same one is named as in a block.
    const verify: VerifySignature = (publicKey, message, signature) =>
      isValid && signatures.verify(publicKey, message, signature);
    const rules = { chainId, contracts, verify };
    const admission = admit(behindWaiting, this.#chain.nextHeight, transaction, rules);
    if (admission.code !== RESULT_CODES.ok) return admission.code;
    // A copy: what came is a view into a larger piece, which need not be kept for it.
    this.#keep(name, { bytes: bytes.slice(), signer, transaction, account: admission.account });
    return RESULT_CODES.ok;
  }

  #keep(name: string, waiting: Waiting): void {
    const { signer, transaction, account } = waiting;
    this.#accounts.set(signer, { ...account, nextSequence: transaction.header.sequence + 1 });
    this.#waiting.set(name, waiting);
    this.#load.add(this.#countedAs(waiting.bytes, transaction));
  }

  #countedAs(bytes: Uint8Array, { header }: Transaction): CountedTransaction {
    return {
      signer: mapKey(header.signer),
      holder: shareHolderOf(this.#chain.parts.state.values, header.signer),
      length: bytes.length,
      isUrgent: isUrgent(bytes),
    };
  }
}

/** A transaction is found by its signature, which stands behind its header; its bytes are compared all the same. */
function nameOf(bytes: Uint8Array): string {
  return mapKey(bytes.subarray(HEADER_BYTES, HEADER_BYTES + SIGNATURE_BYTES));
}

function isSame(waiting: Waiting | undefined, bytes: Uint8Array): boolean {
  return waiting !== undefined && Buffer.compare(waiting.bytes, bytes) === 0;
}

function areAlike(one: Account, other: Account): boolean {
  return (
    one.nextSequence === other.nextSequence &&
    one.isSuspended === other.isSuspended &&
    equalBytes(one.publicKey, other.publicKey)
  );
}
