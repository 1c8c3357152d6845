import { accountIdOf } from '../../identity/index.ts';
import { decodePromise } from '../../ledger/index.ts';
import { AppError, equalBytes, toHex } from '../../shared/index.ts';
import { formatPromiseCase, type PromiseCase, parseReceipt, type StateSubject } from '../receipts/index.ts';

/** Enough that a chain which grows between two questions answers both at one height once. */
const MAX_ATTEMPTS = 5;

type StateReceipt = {
  readonly genesis: Uint8Array;
  readonly checkpoint: string;
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
  const { genesis, checkpoint, body } = parsed.value;
  const isSame =
    body.subject.table === subject.table &&
    body.subject.ids.map(toHex).join() === subject.ids.map(toHex).join();
  if (!isSame) throw wrongAnswer();
  return { genesis, checkpoint, value: body.value, proof: body.proof };
}

/**
 * Puts together what shows whether a promise to log was kept: the custodian's key, its newest anchor under one head, and the leaf
 * at the promised place, where there is one to show.
 */
export async function collectPromiseCase(
  promiseHeader: string,
  custodianKey: Uint8Array,
  proveState: ProveState,
  leaf: PromiseCase['leaf'] = null,
): Promise<string> {
  const promise = decodePromise(promiseHeader);
  if (!promise.ok) throw new AppError('invalid-request', promise.error);
  const ids = [promise.value.custodian];
  const isNamedAfterKey = equalBytes(accountIdOf(custodianKey), promise.value.custodian);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const account = isNamedAfterKey ? undefined : await fetchState(proveState, { table: 'account', ids });
    const { genesis, checkpoint, value, proof } = await fetchState(proveState, {
      table: 'access-anchor',
      ids,
    });
    if (account !== undefined && account.checkpoint !== checkpoint) continue;
    const evidence =
      account === undefined || account.value === null ? null : { value: account.value, proof: account.proof };
    return formatPromiseCase({
      promise: promiseHeader,
      custodianKey,
      account: evidence,
      genesis,
      checkpoint,
      anchor: { value, proof },
      leaf,
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
