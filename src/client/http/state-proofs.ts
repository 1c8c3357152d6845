import { decodeRecordedAnchor } from '../../contracts/index.ts';
import { decodePromise } from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import {
  type AccountKeyProof,
  type ConsensusProof,
  formatPromiseCase,
  type PromiseCase,
  parseReceipt,
  type StateSubject,
} from '../receipts/index.ts';

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
  /** The custodian's keys; with the head that its rotations are proven under, if it has any. */
  proveKey(): Promise<{ readonly checkpoint: string | undefined; readonly key: AccountKeyProof }>;
  /** What stands at a place of the anchored log; undefined when it is not shown. */
  entryAt(index: number, size: number): Promise<EntryPlace | undefined>;
};

/**
 * Puts together what shows whether a promise to log was kept, all under one head: the custodian's keys, its account, its newest
 * anchor, and what stands at the promised place.
 */
export async function collectPromiseCase(promiseHeader: string, source: CaseSource): Promise<string> {
  const promise = decodePromise(promiseHeader);
  if (!promise.ok) throw new AppError('invalid-request', promise.error);
  const { custodian, leafIndex } = promise.value;
  const stateOf = (table: 'account' | 'access-anchor') =>
    fetchState(source.proveState, { table, ids: [custodian] });
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const { checkpoint, key } = await source.proveKey();
    const account = await stateOf('account');
    if (account.value === null) throw wrongAnswer();
    const { value, proof, ...head } = await stateOf('access-anchor');
    if ([checkpoint ?? head.checkpoint, account.checkpoint].some((one) => one !== head.checkpoint)) continue;
    const size = value === null ? 0 : decodeRecordedAnchor(value).logSize;
    const leaf = size > leafIndex ? await source.entryAt(leafIndex, size) : undefined;
    return formatPromiseCase({
      promise: promiseHeader,
      custodianKey: key,
      account: { value: account.value, proof: account.proof },
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

async function fetchState(proveState: ProveState, subject: StateSubject): Promise<StateReceipt> {
  return readStateReceipt(await proveState(subject), subject);
}

function wrongAnswer(): AppError {
  return new AppError(
    'proof-refused',
    'The node answered with the proof of something else. Do not rely on it.',
  );
}
