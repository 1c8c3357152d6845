import { accountIdOf } from '../../identity/index.ts';
import { type AccessPromise, decodePromise, isDueInTime, verifyPromise } from '../../ledger/index.ts';
import { AppError, equalBytes, toHex } from '../../shared/index.ts';
import { type AccountKeyProof, parseReceipt, verifyPromiseCase, verifyReceipt } from '../receipts/index.ts';
import { fetchAccount } from './accounts.ts';
import { jsonObjectOf, textOf, unreadable } from './exchange.ts';
import { fetchStateReceipt } from './ledger-proofs.ts';
import { hashesOf, requireVerified, type Session } from './session.ts';
import { collectPromiseCase, type EntryPlace } from './state-proofs.ts';

/** What shows whether a promise was kept, from the custodian's own node; it answers for its log, or shows that it cannot. */
export async function fetchPromiseCase(session: Session, promiseHeader: string): Promise<string> {
  const { custodian, key } = readPromise(promiseHeader);
  const { publicKey } = await fetchAccount(session, custodian);
  const isFirstKey = publicKey === toHex(key) && equalBytes(accountIdOf(key), custodian);
  return collectPromiseCase(promiseHeader, {
    proveState: (subject) => fetchStateReceipt(session, subject),
    // A custodian that has changed its key since must not get out of its promise by that.
    proveKey: isFirstKey
      ? async () => ({ checkpoint: undefined, key: { publicKey: key, rotations: [] } })
      : () => fetchAccountKey(session, custodian, key),
    entryAt: (index, size) => fetchEntryPlace(session, index, size),
  });
}

/**
 * Whether a promise that came with an answer just now can be held against this custodian, later and whatever keys it has then. Throws
 * AppError `proof-refused` where it cannot.
 */
export async function requireBindingPromise(
  session: Session,
  promiseHeader: string,
  { custodian, receivedMs }: { readonly custodian: Uint8Array; readonly receivedMs: number },
): Promise<void> {
  const promise = readPromise(promiseHeader);
  if (!equalBytes(promise.custodian, custodian)) throw notBinding('another custodian made it');
  if (!verifyPromise(promise)) throw notBinding('its signature is not valid');
  if (!isDueInTime(promise, receivedMs)) throw notBinding('its deadline is later than a promise may have');
  const { chainId } = await session.genesis();
  const evidence = await fetchPromiseCase(session, promiseHeader).catch((error: unknown) => {
    const isUnknown = error instanceof AppError && error.code === 'not-found';
    throw isUnknown ? notBinding("the node does not show that its key is the custodian's", error) : error;
  });
  const verdict = verifyPromiseCase(evidence, { ...session.trust, chainId });
  if (!verdict.ok) throw notBinding(`its key is not shown to be the custodian's (${verdict.code})`);
}

function notBinding(why: string, cause?: unknown): AppError {
  return new AppError(
    'proof-refused',
    `The promise to log binds nobody: ${why}. Keep it with the answer, and ask the custodian.`,
    { cause },
  );
}

function readPromise(header: string): AccessPromise {
  const promise = decodePromise(header);
  if (promise.ok) return promise.value;
  throw new AppError('invalid-request', promise.error);
}

async function fetchAccountKey(
  session: Session,
  accountId: Uint8Array,
  key: Uint8Array,
): Promise<{ checkpoint: string; key: AccountKeyProof }> {
  const { chainId } = await session.genesis();
  const receipt = textOf(await session.ask(`/ledger/proofs/key/${toHex(accountId)}?key=${toHex(key)}`));
  requireVerified(verifyReceipt(receipt, { ...session.trust, chainId }));
  const parsed = parseReceipt(receipt);
  const isAbout =
    parsed.ok && parsed.value.kind === 'account-key' && equalBytes(parsed.value.body.accountId, accountId);
  if (!isAbout) throw unreadable();
  await session.pin(parsed.value.checkpoint);
  return { checkpoint: parsed.value.checkpoint, key: parsed.value.body.key };
}

/** The hash of the entry that stands at a place of the access log; undefined when the node does not show one. */
async function fetchEntryPlace(
  session: Session,
  index: number,
  size: number,
): Promise<EntryPlace | undefined> {
  try {
    const answer = jsonObjectOf(await session.ask(`/ledger/proofs/access/${index}?size=${size}`));
    const [hash] = hashesOf([answer.leafHash]);
    return hash === undefined ? undefined : { hash, path: hashesOf(answer.path) };
  } catch (error) {
    const isSilence =
      error instanceof AppError && (error.code === 'not-found' || error.code === 'invalid-request');
    if (isSilence) return undefined;
    throw error;
  }
}
