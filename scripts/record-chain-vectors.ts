/**
 * Records vectors/chain.json and vectors/proofs.json anew after a change of the protocol: the same steps, signed for the chain that the
 * genesis now makes. A vector that changes without such a change is a fault, not a reason to run this.
 *
 *     node scripts/record-chain-vectors.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ACTIONS,
  type ActionName,
  CONTRACTS,
  decodeCommitVersions,
  decodeSinglePart,
  encodeCommitVersions,
  encodeRegistration,
  genesisState,
  provePossession,
  readRegistration,
  signAsAuthor,
} from '../src/contracts/index.ts';
import { verifySignature } from '../src/identity/index.ts';
import {
  appHash,
  chainIdOf,
  decodeTransaction,
  encodeGenesis,
  encodeTransaction,
  executeBlock,
  RESULT_CODES,
  resultName,
  StateTree,
  type StateWrite,
  signTransaction,
  type Transaction,
  transactionId,
} from '../src/ledger/index.ts';
import { fromHex, leafHash, MerkleLog, toHex } from '../src/shared/index.ts';

const FOLDER = join(import.meta.dirname, '../vectors');
const REGISTRATIONS: ReadonlySet<ActionName> = new Set(['enrol-patient', 'register-practitioner']);

type Actor = { readonly seed: string; readonly publicKey: string; readonly accountId: string };
type Step = {
  why?: string;
  action: ActionName;
  signer: string;
  transaction: string;
  height: number;
  timeMs: number;
};
type Chain = { about: string; actors: Record<string, Actor>; steps: Step[] };

const read = (name: string) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
const write = (name: string, value: unknown): void =>
  writeFileSync(join(FOLDER, name), `${JSON.stringify(value, null, 2)}\n`);
const hex = (text: string): Uint8Array => fromHex(text) as Uint8Array;

const before = read('chain.json') as Chain;
const actors = Object.values(before.actors);
const actorOf = (name: string): Actor => before.actors[name] as Actor;
const genesis = {
  networkName: 'test',
  timeMs: 1_000,
  operatorKey: hex(actorOf('operator').publicKey),
  organisationKeys: [hex(actorOf('hospital').publicKey)],
  validators: [],
};
const chainId = chainIdOf(genesis);
const [tree, log, values] = [new StateTree(), new MerkleLog(), new Map<string, Uint8Array>()];
const logRoots: Uint8Array[] = [];
const stateReader = { get: (key: Uint8Array) => values.get(toHex(key)) };

function take(writes: readonly StateWrite[]): void {
  tree.stage(writes).commit();
  for (const [key, value] of writes) {
    if (value === undefined) values.delete(toHex(key));
    else values.set(toHex(key), value);
  }
}

/** The same step for the chain as it is now: what a key signed for the old one has to be signed again. */
function signedAgain({ action, transaction }: Step): Transaction {
  const old = decodeTransaction(hex(transaction));
  if (!old.ok) throw new Error(`the recorded ${action} is not a transaction`);
  const { signer, sequence, lastValidHeight } = old.value.header;
  const parts = partsAgain(action, old.value);
  const draft = { chainId, ...ACTIONS[action], signer, sequence, lastValidHeight, parts };
  return signTransaction(
    draft,
    seedOf((each) => each.accountId === toHex(signer)),
  );
}

function partsAgain(action: ActionName, { header, parts }: Transaction): readonly Uint8Array[] {
  if (REGISTRATIONS.has(action)) return [provenAgain(parts, header.signer)];
  return action === 'commit-versions' ? authoredAgain(parts, header.signer) : parts;
}

function authoredAgain(parts: readonly Uint8Array[], custodian: Uint8Array): Uint8Array[] {
  const batch = decodeCommitVersions(parts);
  if (!batch.ok) throw new Error('a recorded batch is not one');
  const { author, authorSignature, entries } = batch.value;
  const seed = seedOf((each) => each.accountId === toHex(author));
  return encodeCommitVersions({
    author,
    entries,
    authorSignature: authorSignature && signAsAuthor(chainId, custodian, entries, seed),
  });
}

function provenAgain(parts: readonly Uint8Array[], signer: Uint8Array): Uint8Array {
  const registration = decodeSinglePart(parts, readRegistration);
  if (!registration.ok) throw new Error('a recorded registration is not one');
  const { publicKey, roles } = registration.value;
  const seed = seedOf((each) => each.publicKey === toHex(publicKey));
  return encodeRegistration({
    publicKey,
    roles,
    possessionProof: provePossession(chainId, signer, publicKey, seed),
  });
}

function seedOf(isThis: (actor: Actor) => boolean): Uint8Array {
  return hex((actors.find(isThis) as Actor).seed);
}

function record(step: Step): unknown {
  const transaction = signedAgain(step);
  const { height, timeMs } = step;
  const rules = { chainId, contracts: CONTRACTS, verify: verifySignature, state: stateReader };
  const output = executeBlock({ ...rules, height, timeMs, transactions: [encodeTransaction(transaction)] });
  take(output.stateWrites);
  const leaf = output.leaves[0] as Uint8Array;
  log.append(leafHash(leaf));
  logRoots.push(log.root());
  const code = output.results[0]?.code ?? RESULT_CODES['malformed-transaction'];
  const roots = { logSize: log.size, logRoot: log.root(), stateRoot: tree.root };
  return {
    why: step.why,
    action: step.action,
    signer: step.signer,
    transaction: toHex(encodeTransaction(transaction)),
    transactionId: toHex(transactionId(transaction.header)),
    result: resultName(code),
    code,
    height,
    timeMs,
    leaf: toHex(leaf),
    stateRoot: toHex(tree.root),
    logRoot: toHex(log.root()),
    appHash: toHex(appHash({ height, ...roots })),
  };
}

take(genesisState(genesis));
const genesisStateRoot = toHex(tree.root);
const steps = before.steps.map(record);
write('chain.json', {
  about: before.about,
  actors: before.actors,
  genesis: toHex(encodeGenesis(genesis)),
  chainId: toHex(chainId),
  genesisStateRoot,
  steps,
});

const proofs = read('proofs.json');
write('proofs.json', {
  about: proofs.about,
  stateRoot: toHex(tree.root),
  logRoot: toHex(log.root()),
  logSize: log.size,
  state: proofs.state.map(({ key }: { key: string }) => {
    const { siblings, otherLeaf } = tree.prove(hex(key), stateReader);
    const value = values.get(key);
    return {
      key,
      value: value === undefined ? null : toHex(value),
      siblings: siblings.map(toHex),
      otherLeaf: otherLeaf && { key: toHex(otherLeaf.key), valueHash: toHex(otherLeaf.valueHash) },
    };
  }),
  inclusion: proofs.inclusion.map(({ index }: { index: number }) => ({
    index,
    leafHash: toHex(leafHash(hex((steps[index] as { leaf: string }).leaf))),
    proof: log.inclusionProof(index, log.size).map(toHex),
  })),
  consistency: proofs.consistency.map(({ oldSize }: { oldSize: number }) => ({
    oldSize,
    oldRoot: toHex(logRoots[oldSize - 1] as Uint8Array),
    proof: log.consistencyProof(oldSize, log.size).map(toHex),
  })),
});
