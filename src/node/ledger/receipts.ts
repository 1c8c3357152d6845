import {
  accessEntryReceipt,
  consentReceipt,
  type ReceiptHead,
  type ReceiptSigner,
  type RecordedTransaction,
  type RecordOpening,
  recordVersionReceipt,
  transactionReceipt,
} from '../../client/index.ts';
import { actionName, decodeCommitVersions, decodeSinglePart, readAnchor } from '../../contracts/index.ts';
import type { Engine, RecordedBlock } from '../../engine/index.ts';
import { accountIdOf, verifySignature } from '../../identity/index.ts';
import {
  accountKey,
  decodeTransaction,
  readAccount,
  signingBytes,
  type Transaction,
  transactionId,
} from '../../ledger/index.ts';
import { AppError, equalBytes } from '../../shared/index.ts';
import type { AccessEntry, AccessLog, SealedRecord } from '../../vault/index.ts';

/** How many blocks after a write its commitment is looked for: a crash may have delayed it, but not for ever. */
const MAX_BLOCKS_SEARCHED = 10_000;
const CLOCK_SLACK_MS = 2000;

/** Portable proofs of what this node recorded. */
export interface ReceiptDesk {
  ofTransaction(id: Uint8Array): Promise<string>;
  /** Of a record version; with its content where `opening` gives it. */
  ofRecordVersion(record: SealedRecord, opening: RecordOpening | null): Promise<string>;
  /** Of an entry of the access log, once it is anchored. */
  ofAccessEntry(entry: AccessEntry): Promise<string | undefined>;
}

/** Builds receipts from the engine's proofs at its head. */
export function createReceiptDesk(deps: {
  engine: Engine;
  accessLog: AccessLog;
  genesis: Uint8Array;
}): ReceiptDesk {
  const { engine, accessLog } = deps;
  const headNow = (): ReceiptHead => ({ genesis: deps.genesis, checkpoint: engine.head().checkpoint });
  return {
    async ofTransaction(id) {
      const source = await recordedTransaction(engine, id);
      return isConsentChange(source)
        ? consentReceipt(headNow(), source)
        : transactionReceipt(headNow(), source);
    },
    async ofRecordVersion(record, opening) {
      const found = await findCommitment(engine, record);
      if (found === undefined)
        throw new AppError('not-found', 'The version is not on the ledger yet. Try again in a moment.');
      const source = await recordedTransaction(engine, found.id);
      return recordVersionReceipt(headNow(), source, found.entryIndex, opening);
    },
    async ofAccessEntry(entry) {
      const anchor = await accessLog.anchorOf(entry.leafIndex);
      if (anchor === undefined) return undefined;
      const block = await engine.block(anchor.height);
      const id = block === undefined ? undefined : anchorIdIn(block, anchor.size);
      if (id === undefined) return undefined;
      const source = await recordedTransaction(engine, id);
      const path = accessLog.inclusionProof(entry.leafIndex, anchor.size);
      return accessEntryReceipt(headNow(), source, { bytes: entry.frame, index: entry.leafIndex, path });
    },
  };
}

/** The transaction with its proofs under the head of this moment: nothing is awaited once the first proof is taken. */
async function recordedTransaction(engine: Engine, id: Uint8Array): Promise<RecordedTransaction> {
  const recorded = await engine.transaction(id);
  const leaf = recorded === undefined ? undefined : await engine.leaf(recorded.leafIndex);
  if (recorded === undefined || leaf === undefined)
    throw new AppError('not-found', 'There is no such transaction on this ledger.');
  const path = engine.inclusionProof(recorded.leafIndex);
  if (path === undefined) throw new AppError('not-found', 'There is no proof for this transaction yet.');
  const signer = signerOf(engine, decoded(recorded.transaction));
  return { recorded: { leaf, index: recorded.leafIndex, path }, signer, transaction: recorded.transaction };
}

/**
 * The signer's key; with a proof that it is the account's where the account is not named after it, after a rotation. null for
 * what was signed with a key that was rotated away since: the state does not hold it any more.
 */
function signerOf(engine: Engine, { header, signature }: Transaction): ReceiptSigner | null {
  const account = readAccount(engine.state, header.signer);
  if (account === undefined || !verifySignature(account.publicKey, signingBytes(header), signature))
    return null;
  if (equalBytes(accountIdOf(account.publicKey), header.signer))
    return { publicKey: account.publicKey, account: null };
  const { value, proof } = engine.stateProof(accountKey(header.signer));
  return value === undefined ? null : { publicKey: account.publicKey, account: { value, proof } };
}

function isConsentChange({ transaction }: RecordedTransaction): boolean {
  const { header } = decoded(transaction);
  const name = actionName(header.contract, header.action);
  return name === 'grant-consent' || name === 'replace-consent' || name === 'revoke-consent';
}

function decoded(bytes: Uint8Array): Transaction {
  const transaction = decodeTransaction(bytes);
  if (transaction.ok) return transaction.value;
  throw new AppError('damaged', 'A recorded transaction cannot be read. Run `careledger audit`.');
}

/** Where a version's commitment stands: searched from the first block that is not older than the write. */
async function findCommitment(
  engine: Engine,
  record: SealedRecord,
): Promise<{ id: Uint8Array; entryIndex: number } | undefined> {
  const first = await firstBlockSince(engine, record.lastUpdatedMs - CLOCK_SLACK_MS);
  const last = Math.min(engine.head().height, first + MAX_BLOCKS_SEARCHED);
  for (let height = first; height <= last; height++) {
    const block = await engine.block(height);
    const found = block === undefined ? undefined : commitmentIn(block, record.commitment);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Block times only grow, so halving finds the place. */
async function firstBlockSince(engine: Engine, timeMs: number): Promise<number> {
  let low = 1;
  let high = engine.head().height;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const block = await engine.block(middle);
    if (block !== undefined && block.block.timeMs >= timeMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

function commitmentIn(
  { block }: RecordedBlock,
  commitment: Uint8Array,
): { id: Uint8Array; entryIndex: number } | undefined {
  for (const bytes of block.transactions) {
    const { header, parts } = decoded(bytes);
    if (actionName(header.contract, header.action) !== 'commit-versions') continue;
    const batch = decodeCommitVersions(parts);
    const entryIndex = batch.ok
      ? batch.value.entries.findIndex((entry) => equalBytes(entry.commitment, commitment))
      : -1;
    if (entryIndex >= 0) return { id: transactionId(header), entryIndex };
  }
  return undefined;
}

function anchorIdIn({ block }: RecordedBlock, logSize: number): Uint8Array | undefined {
  for (const bytes of block.transactions) {
    const { header, parts } = decoded(bytes);
    if (actionName(header.contract, header.action) !== 'anchor-access-log') continue;
    const anchor = decodeSinglePart(parts, readAnchor);
    if (anchor.ok && anchor.value.logSize === logSize) return transactionId(header);
  }
  return undefined;
}
