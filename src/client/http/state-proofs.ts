import { decodeRecordedAnchor } from '../../contracts/index.ts';
import { parsePublicKey } from '../../identity/index.ts';
import { type AccessPromise, decodePromise, verifyPromise } from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import {
  type AccountKeyProof,
  type ConsensusProof,
  formatPromiseCase,
  type PromiseCase,
  parseReceipt,
  type StateSubject,
} from '../receipts/index.ts';

/** A rotate-key payload begins with the new key. */
const KEY_BYTES = 32;

/** Enough that a chain which grows between two questions answers both at one height once. */
const MAX_ATTEMPTS = 5;

type StateReceipt = {
  readonly genesis: Uint8Array;
  readonly checkpoint: string;
  readonly consensus?: ConsensusProof;
  readonly value: Uint8Array | null;
  readonly proof: PromiseCase['anchor']['proof'];
};

/** Fetches and verifies the receipt of a place in the ledger's state. */
export type ProveState = (subject: StateSubject) => Promise<string>;

/** The path of the state receipt at a node. */
export function statePath({ table, ids }: StateSubject): string {
  return `/ledger/proofs/state/${table}/${ids.map(toHex).join('/')}`;
}

/** Checks that a receipt is about the place that was asked for, whatever else it proves. */
export function readStateReceipt(receipt: string, subject: StateSubject): StateReceipt {
  const parsed = parseReceipt(receipt);
  if (!parsed.ok || parsed.value.kind !== 'state') throw wrongAnswer();
  const { kind: _, body, ...head } = parsed.value;
  const isSame =
    body.subject.table === subject.table &&
    body.subject.ids.map(toHex).join() === subject.ids.map(toHex).join();
  if (!isSame) throw wrongAnswer();
  return { ...head, value: body.value, proof: body.proof };
}

/** The hash of an entry of the access log, and its way to the root of the asked size. */
export type EntryPlace = NonNullable<PromiseCase['leaf']>;

/** Where the evidence of a case comes from. */
export type CaseSource = {
  readonly proveState: ProveState;
  /** The custodian's key; with the head that its rotations are proven under, if it has any. */
  proveKey(): Promise<{ readonly checkpoint: string | undefined; readonly key: AccountKeyProof }>;
  /** What stands at a place of the anchored log; undefined when it is not shown. */
  entryAt(index: number, size: number): Promise<EntryPlace | undefined>;
};

/**
 * Puts together what shows whether a promise to log was kept: the custodian's key, its newest anchor under one head, and what
 * stands at the promised place.
 */
export async function collectPromiseCase(promiseHeader: string, source: CaseSource): Promise<string> {
  const promise = decodePromise(promiseHeader);
  if (!promise.ok) throw new AppError('invalid-request', promise.error);
  const { custodian, leafIndex } = promise.value;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const proven = await source.proveKey();
    const subject: StateSubject = { table: 'access-anchor', ids: [custodian] };
    const { value, proof, ...head } = await fetchState(source.proveState, subject);
    if (proven.checkpoint !== undefined && proven.checkpoint !== head.checkpoint) continue;
    const size = value === null ? 0 : decodeRecordedAnchor(value).logSize;
    const leaf = size > leafIndex ? await source.entryAt(leafIndex, size) : undefined;
    return formatPromiseCase({
      promise: promiseHeader,
      custodianKey: keyOfPromise(promise.value, proven.key),
      ...head,
      anchor: { value, proof },
      leaf: leaf ?? null,
    });
  }
  throw new AppError(
    'unavailable',
    'The ledger grew too fast to prove both the key and the anchor at one height. Try again.',
  );
}

/** The changes of key up to the one that the promise was signed with; all of them when none fits, which the case then shows. */
function keyOfPromise(promise: AccessPromise, key: AccountKeyProof): AccountKeyProof {
  for (let count = 0; count <= key.rotations.length; count += 1) {
    const rotations = key.rotations.slice(0, count);
    const candidate = parsePublicKey(rotations.at(-1)?.payload.slice(0, KEY_BYTES) ?? key.publicKey);
    if (candidate.ok && verifyPromise(promise, candidate.value)) return { ...key, rotations };
  }
  return key;
}

async function fetchState(proveState: ProveState, subject: StateSubject): Promise<StateReceipt> {
  return readStateReceipt(await proveState(subject), subject);
}

function wrongAnswer(): AppError {
  return new AppError(
    'proof-refused',
    'The node answered with the proof of something else. Do not rely on it.',
  );
}
