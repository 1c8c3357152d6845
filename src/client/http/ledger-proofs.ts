import {
  type Checkpoint,
  decodeTransaction,
  RESULT_CODES,
  resultName,
  transactionId,
} from '../../ledger/index.ts';
import { AppError, equalBytes, toHex, verifyConsistency } from '../../shared/index.ts';
import { parseReceipt, type StateSubject, type VerifiedProof, verifyReceipt } from '../receipts/index.ts';
import { type ExchangeRequest, jsonObjectOf, textOf } from './exchange.ts';
import { requireVerified, type Session } from './session.ts';
import { readStateReceipt, statePath } from './state-proofs.ts';

export type ReceiptOptions = {
  /** Under the head that most witnesses cosigned, which may be an older one than the newest. */
  readonly cosigned?: boolean;
};

/** A transaction that is on the ledger, with the receipt that proves it and what the receipt says. */
export type ProvenTransaction = {
  readonly answer: Record<string, unknown>;
  readonly receipt: string;
  readonly verdict: VerifiedProof;
};

/** Submits a transaction and asks for its proof. One that the ledger recorded and refused is an error: it changed nothing. */
export async function submitProven(
  session: Session,
  transaction: Uint8Array,
  path: string,
  request: ExchangeRequest,
): Promise<ProvenTransaction> {
  const decoded = decodeTransaction(transaction);
  if (!decoded.ok)
    throw new AppError(
      'malformed-transaction',
      'The transaction is not the canonical bytes of one. Sign it again.',
    );
  const answer = jsonObjectOf(await session.ask(path, { ...request, method: 'POST' }));
  const proven = await fetchReceipt(session, transactionId(decoded.value.header));
  const { resultCode } = proven.verdict;
  if (resultCode === RESULT_CODES.ok) return { answer, ...proven };
  const name = resultCode === undefined ? undefined : resultName(resultCode);
  throw new AppError('transaction-refused', `The ledger recorded the transaction and refused it: ${name}.`);
}

/** The receipt must hold, be about the asked transaction, be of the trusted chain, and rest on a head that continues the pinned one. */
export async function fetchReceipt(
  session: Session,
  id: Uint8Array,
  options: ReceiptOptions = {},
): Promise<{ receipt: string; verdict: VerifiedProof }> {
  const { chainId } = await session.genesis();
  const isCosigned = options.cosigned === true;
  const receipt = textOf(
    await session.ask(`/ledger/receipts/${toHex(id)}${isCosigned ? '?cosigned=true' : ''}`),
  );
  const verdict = requireVerified(verifyReceipt(receipt, { ...session.trust, chainId }));
  if (verdict.transactionId === undefined || !equalBytes(verdict.transactionId, id)) {
    throw new AppError(
      'proof-refused',
      'The node answered with the receipt of another transaction. Do not rely on it.',
    );
  }
  if (isCosigned) await requireOnHistory(session, verdict.checkpoint);
  else await pinHeadOf(session, receipt);
  return { receipt, verdict };
}

/** A cosigned head may be an older one than the pinned: it must then lead to it. */
async function requireOnHistory(session: Session, older: Checkpoint): Promise<void> {
  const { checkpoint: newest } = await session.head();
  const isSame = older.logSize === newest.logSize;
  const proof = isSame ? [] : await session.consistency(older.logSize, newest.logSize);
  const isOn =
    older.logSize <= newest.logSize &&
    verifyConsistency(older.logSize, newest.logSize, proof, older.logRoot, newest.logRoot);
  if (isOn) return;
  throw new AppError(
    'forked-head',
    'The head that the witnesses cosigned does not lead to the head that the node serves. Do not trust this node, and keep both.',
  );
}

async function pinHeadOf(session: Session, receipt: string): Promise<void> {
  const parsed = parseReceipt(receipt);
  if (parsed.ok) await session.pin(parsed.value.checkpoint);
}

/** Under a head that continues the pinned one, like every other proof. */
export async function fetchStateReceipt(session: Session, subject: StateSubject): Promise<string> {
  const { chainId } = await session.genesis();
  const receipt = textOf(await session.ask(statePath(subject)));
  requireVerified(verifyReceipt(receipt, { ...session.trust, chainId }));
  await session.pin(readStateReceipt(receipt, subject).checkpoint);
  return receipt;
}

/** What the receipt of a place says is there; undefined where it proves that there is nothing. */
export async function fetchStateValue(
  session: Session,
  subject: StateSubject,
): Promise<Uint8Array | undefined> {
  return readStateReceipt(await fetchStateReceipt(session, subject), subject).value ?? undefined;
}
