/** A small chain with everything that receipts are about: a patient, a consent, record versions, an access log, witnesses. */
import type { ReceiptHead, RecordedTransaction, StateEvidence } from '../../src/client/index.ts';
import {
  type ActionName,
  accessAnchorKey,
  encodeAnchorAccessLog,
  encodeRegistration,
  provePossession,
} from '../../src/contracts/index.ts';
import { type Actor, actor, TestChain } from '../../src/contracts/testing/test-chain.ts';
import { publicKeyOf } from '../../src/identity/index.ts';
import {
  addCosignatures,
  cosign,
  encodeGenesis,
  formatCheckpoint,
  readAccount,
  resultName,
  type StateProof,
  signCheckpoint,
  type VerifierKey,
} from '../../src/ledger/index.ts';
import { leafHash, MerkleLog, utf8 } from '../../src/shared/index.ts';

export type NamedWitness = { readonly name: string; readonly seed: Uint8Array; readonly key: VerifierKey };

export function witnessOf(name: string, byte: number): NamedWitness {
  const seed = new Uint8Array(32).fill(byte);
  return { name, seed, key: { name, kind: 'witness', publicKey: publicKeyOf(seed) } };
}

export class ProofChain {
  readonly chain = new TestChain();
  readonly genesis = encodeGenesis(this.chain.genesis);
  readonly patient = actor(40);
  readonly clinician = actor(41);
  readonly accessLog = new MerkleLog();
  readonly accessEntries: Uint8Array[] = [];
  readonly #leaves: Uint8Array[] = [];
  readonly #transactions: Uint8Array[] = [];

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

  anchorAccesses(): number {
    const anchor = { logSize: this.accessLog.size, logRoot: this.accessLog.root() };
    return this.record(this.chain.hospital, 'anchor-access-log', encodeAnchorAccessLog(anchor));
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
      recorded: {
        leaf: this.#leaves[index] as Uint8Array,
        index,
        path: this.chain.log.inclusionProof(index),
      },
      signer: { publicKey: by.publicKey, account: null },
      transaction: this.#transactions[index] as Uint8Array,
    };
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
