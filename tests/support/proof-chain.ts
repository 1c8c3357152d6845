/** A small chain with everything that receipts are about: a patient, a consent, record versions, an access log, witnesses. */
import type {
  AccountKeyProof,
  ReceiptHead,
  RecordedTransaction,
  StateEvidence,
} from '../../src/client/index.ts';
import {
  type ActionName,
  accessAnchorKey,
  encodeAnchorAccessLog,
  encodeRegistration,
  encodeRotateKey,
  provePossession,
} from '../../src/contracts/index.ts';
import { type Actor, actor, TestChain } from '../../src/contracts/testing/test-chain.ts';
import { publicKeyOf } from '../../src/identity/index.ts';
import {
  addCosignatures,
  cosign,
  decodeTransaction,
  encodeGenesis,
  formatCheckpoint,
  readAccount,
  resultName,
  type StateProof,
  signCheckpoint,
  type VerifierKey,
} from '../../src/ledger/index.ts';
import { changesTo } from '../../src/node/ledger/key-history.ts';
import { leafHash, MerkleLog, toHex, utf8 } from '../../src/shared/index.ts';

export type NamedWitness = { readonly name: string; readonly seed: Uint8Array; readonly key: VerifierKey };

export function witnessOf(name: string, byte: number): NamedWitness {
  const seed = new Uint8Array(32).fill(byte);
  return { name, seed, key: { name, kind: 'witness', publicKey: publicKeyOf(seed) } };
}

export class ProofChain {
  readonly chain: TestChain;
  readonly genesis: Uint8Array;
  readonly patient = actor(40);
  readonly clinician = actor(41);
  readonly accessLog = new MerkleLog();
  readonly accessEntries: Uint8Array[] = [];
  /** For each account whose key changed: its first key, then the leaves of the changes. */
  readonly #rotations = new Map<string, (Uint8Array | number)[]>();
  readonly #leaves: Uint8Array[] = [];
  readonly #transactions: Uint8Array[] = [];

  constructor(chain = new TestChain()) {
    this.chain = chain;
    this.genesis = encodeGenesis(chain.genesis);
  }

  /** Executes one transaction in a block of its own; returns the index of its leaf. */
  record(by: Actor, name: ActionName, parts: Uint8Array | Uint8Array[]): number {
    const sequence = readAccount(this.chain.state, by.id)?.nextSequence ?? 0;
    return this.submit(this.chain.sign(by, name, parts, { sequence }));
  }

  submit(transaction: Uint8Array): number {
    const { leaves, results } = this.chain.executeForOutput(transaction);
    const name = resultName(results[0]?.code ?? -1);
    if (name !== 'ok') throw new Error(`the test's transaction was refused: ${name}`);
    this.#leaves.push(...leaves);
    this.#transactions.push(transaction);
    return this.#leaves.length - 1;
  }

  register(name: 'enrol-patient' | 'register-practitioner', who: Actor): number {
    const { hospital, chainId } = this.chain;
    const possessionProof = provePossession(chainId, hospital.id, who.publicKey, who.seed);
    return this.record(
      hospital,
      name,
      encodeRegistration({ publicKey: who.publicKey, possessionProof, roles: [] }),
    );
  }

  addAccess(text: string): number {
    this.accessEntries.push(utf8(text));
    return this.accessLog.append(leafHash(utf8(text)));
  }

  anchorAccesses(by: Actor = this.chain.hospital): number {
    const nonce = new Uint8Array(16);
    const anchor = { logSize: this.accessLog.size, logRoot: this.accessLog.root(), nonce };
    return this.record(by, 'anchor-access-log', encodeAnchorAccessLog(anchor));
  }

  checkpoint(...witnesses: readonly NamedWitness[]): string {
    const { chainId, height, timeMs, log, tree, operator } = this.chain;
    const head = { chainId, height, timeMs, logSize: log.size, logRoot: log.root(), stateRoot: tree.root };
    const lines = witnesses.map((witness) => cosign(formatCheckpoint(head), witness, 5)).join('');
    const note = signCheckpoint(head, operator.seed);
    const signed =
      lines === ''
        ? undefined
        : addCosignatures(
            note,
            lines,
            witnesses.map(({ key }) => key),
          );
    return signed?.ok === true ? signed.value : note;
  }

  head(...witnesses: readonly NamedWitness[]): ReceiptHead {
    return { genesis: this.genesis, checkpoint: this.checkpoint(...witnesses) };
  }

  recorded(index: number, by: Actor): RecordedTransaction {
    return {
      recorded: this.leafAt(index),
      signer: this.keyOf(by, index),
      transaction: this.#transactions[index] as Uint8Array,
    };
  }

  /** Replaces an actor's key; from then on the returned actor signs for the account. */
  rotateKey(who: Actor, next: Actor): Actor {
    const { chainId } = this.chain;
    const possessionProof = provePossession(chainId, who.id, next.publicKey, next.seed);
    const payload = encodeRotateKey({ newKey: next.publicKey, possessionProof });
    const index = this.record(who, 'rotate-key', payload);
    const [first, ...others] = this.#rotations.get(toHex(who.id)) ?? [who.publicKey];
    this.#rotations.set(toHex(who.id), [first as Uint8Array, ...others, index]);
    return { ...next, id: who.id };
  }

  /** The account's key at a place of the history, as a receipt shows it. */
  keyOf(who: Actor, beforeIndex = this.#leaves.length): AccountKeyProof {
    const shown = this.heldKeyOf(who, undefined, beforeIndex);
    if (shown === undefined) throw new Error('the test rotates too often');
    return shown;
  }

  /** A key that the account had, with the change after it, as a node shows it; undefined where it does not. */
  heldKeyOf(
    who: Actor,
    heldKey: Uint8Array | undefined,
    beforeIndex = this.#leaves.length,
  ): AccountKeyProof | undefined {
    const [first = who.publicKey, ...indices] = this.#rotations.get(toHex(who.id)) ?? [];
    const changes = (indices as number[])
      .filter((index) => index < beforeIndex)
      .map((leafIndex) => ({ leafIndex, payload: this.payloadAt(leafIndex) }))
      .map((change) => ({ ...change, newKey: change.payload.slice(0, 32) }));
    const publicKey = first as Uint8Array;
    const rotations = changesTo(publicKey, changes, heldKey)?.map(({ leafIndex, payload }) => ({
      recorded: this.leafAt(leafIndex),
      payload,
    }));
    return rotations && { publicKey, rotations };
  }

  leafAt(index: number): RecordedTransaction['recorded'] {
    return { leaf: this.#leaves[index] as Uint8Array, index, path: this.chain.log.inclusionProof(index) };
  }

  payloadAt(index: number): Uint8Array {
    const transaction = decodeTransaction(this.transactionAt(index));
    return (transaction.ok ? transaction.value.parts[0] : undefined) as Uint8Array;
  }

  transactionAt(index: number): Uint8Array {
    return this.#transactions[index] as Uint8Array;
  }

  prove(key: Uint8Array): { value: Uint8Array | undefined; proof: StateProof } {
    return { value: this.chain.state.get(key), proof: this.chain.tree.prove(key, this.chain.state) };
  }

  evidence(key: Uint8Array): StateEvidence {
    const { value, proof } = this.prove(key);
    if (value === undefined) throw new Error('the test proves a value that is not there');
    return { value, proof };
  }

  anchorState(): { value: Uint8Array | null; proof: StateProof } {
    const { value, proof } = this.prove(accessAnchorKey(this.chain.hospital.id));
    return { value: value ?? null, proof };
  }
}
