import { accountIdOf, publicKeyOf, verifySignature } from '../../identity/index.ts';
import {
  type BlockOutput,
  chainIdOf,
  encodeTransaction,
  executeBlock,
  type Genesis,
  type ResultName,
  resultName,
  StateTree,
  signTransaction,
} from '../../ledger/index.ts';
import { leafHash, MerkleLog, toHex } from '../../shared/index.ts';
import { ACTIONS, type ActionName, CONTRACTS } from '../contract-table.ts';
import { genesisState } from '../registry/genesis-state.ts';
import { encodeRegistration, provePossession } from '../registry/registration.ts';
import type { Role } from '../registry/role.ts';

/** A key holder in a test, from one byte. */
export type Actor = { readonly seed: Uint8Array; readonly publicKey: Uint8Array; readonly id: Uint8Array };

export function actor(byte: number): Actor {
  const seed = new Uint8Array(32).fill(byte);
  const publicKey = publicKeyOf(seed);
  return { seed, publicKey, id: accountIdOf(publicKey) };
}

/** A chain in memory that executes one block for each call, for tests of the rules. */
export class TestChain {
  readonly operator = actor(1);
  readonly hospital = actor(2);
  readonly genesis: Genesis;
  readonly chainId: Uint8Array;
  readonly tree = new StateTree();
  readonly log = new MerkleLog();
  readonly #values = new Map<string, Uint8Array>();
  readonly #sequences = new Map<string, number>();
  readonly state = { get: (key: Uint8Array) => this.#values.get(toHex(key)) };
  height = 0;
  timeMs = 1_000;

  constructor(change: Partial<Genesis> = {}) {
    this.genesis = {
      networkName: 'test',
      timeMs: 1_000,
      operatorKey: this.operator.publicKey,
      organisationKeys: [this.hospital.publicKey],
      validators: [],
      ...change,
    };
    this.chainId = chainIdOf(this.genesis);
    this.#take(genesisState(this.genesis));
  }

  /** Signs with the actor's next sequence number. */
  sign(
    by: Actor,
    name: ActionName,
    parts: Uint8Array | Uint8Array[],
    change: { sequence?: number; lastValidHeight?: number; chainId?: Uint8Array } = {},
  ): Uint8Array {
    return this.signAction(by, ACTIONS[name], Array.isArray(parts) ? parts : [parts], change);
  }

  /** As `sign`, also for an action that is in no table. */
  signAction(
    by: Actor,
    { contract, action }: { readonly contract: number; readonly action: number },
    parts: readonly Uint8Array[],
    change: { sequence?: number; lastValidHeight?: number; chainId?: Uint8Array } = {},
  ): Uint8Array {
    const sequence = change.sequence ?? this.#sequences.get(toHex(by.id)) ?? 0;
    const draft = {
      chainId: this.chainId,
      contract,
      action,
      signer: by.id,
      sequence,
      lastValidHeight: this.height + 100,
      ...change,
    };
    return encodeTransaction(signTransaction({ ...draft, parts }, by.seed));
  }

  /** Executes one block, and returns the name of each result. */
  execute(...transactions: Uint8Array[]): (ResultName | undefined)[] {
    return this.executeForOutput(...transactions).results.map((result) => resultName(result.code));
  }

  executeForOutput(...transactions: Uint8Array[]): BlockOutput {
    this.height += 1;
    this.timeMs += 1_000;
    const output = executeBlock({
      ...this.rules(),
      state: this.state,
      height: this.height,
      timeMs: this.timeMs,
      transactions,
    });
    this.#take(output.stateWrites);
    for (const leaf of output.leaves) this.log.append(leafHash(leaf));
    return output;
  }

  /** Signs and executes one transaction. A sequence number is used up unless admission failed. */
  run(by: Actor, name: ActionName, parts: Uint8Array | Uint8Array[]): ResultName | undefined {
    const before = this.#sequences.get(toHex(by.id)) ?? 0;
    const [result] = this.execute(this.sign(by, name, parts));
    const isAdmissionCode = result !== undefined && ADMISSION_CODES.has(result);
    if (!isAdmissionCode) this.#sequences.set(toHex(by.id), before + 1);
    return result;
  }

  register(by: Actor, name: ActionName, who: Actor, roles: readonly Role[] = []): ResultName | undefined {
    const possessionProof = provePossession(this.chainId, by.id, who.publicKey, who.seed);
    return this.run(by, name, encodeRegistration({ publicKey: who.publicKey, possessionProof, roles }));
  }

  rules() {
    return { chainId: this.chainId, contracts: CONTRACTS, verify: verifySignature };
  }

  #take(writes: BlockOutput['stateWrites']): void {
    this.tree.stage(writes).commit();
    for (const [key, value] of writes) {
      if (value === undefined) this.#values.delete(toHex(key));
      else this.#values.set(toHex(key), value);
    }
  }
}

const ADMISSION_CODES = new Set<ResultName>([
  'malformed-transaction',
  'wrong-chain',
  'expired',
  'valid-too-long',
  'unknown-signer',
  'suspended-signer',
  'sequence-replayed',
  'sequence-gap',
  'unknown-action',
  'malformed-payload',
  'bad-signature',
]);
