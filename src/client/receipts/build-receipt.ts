import { decodeTransaction, type StateProof } from '../../ledger/index.ts';
import { AppError, assert, leafHash, MerkleLog } from '../../shared/index.ts';
import {
  type AccountKeyProof,
  type ConsensusProof,
  formatReceipt,
  type PayloadPart,
  type RecordedLeaf,
  type RecordOpening,
  type StateSubject,
} from './receipt-format.ts';

/** What every receipt rests on: the chain's genesis and a head, signed by the operator or decided by the validators. */
export type ReceiptHead = {
  readonly genesis: Uint8Array;
  readonly checkpoint: string;
  readonly consensus?: ConsensusProof;
};

/** A transaction as a node recorded it, with its proof under the head. */
export type RecordedTransaction = {
  readonly recorded: RecordedLeaf;
  readonly signer: AccountKeyProof | null;
  /** The whole transaction. */
  readonly transaction: Uint8Array;
};

export type StateEvidence = { readonly value: Uint8Array; readonly proof: StateProof };

/** The receipt of any transaction; without its payload where `withPayload` is false. */
export function transactionReceipt(
  head: ReceiptHead,
  source: RecordedTransaction,
  withPayload = true,
): string {
  const { recorded, signer, transaction } = source;
  return formatReceipt({
    kind: 'transaction',
    ...head,
    body: { recorded, signer, transaction: withPayload ? transaction : null },
  });
}

/** The receipt of a consent's grant, replacement or revocation, with its terms opened for whoever holds the salt. */
export function consentReceipt(
  head: ReceiptHead,
  source: RecordedTransaction,
  details: {
    readonly opening?: { readonly salt: Uint8Array; readonly terms: Uint8Array };
    readonly state?: StateEvidence;
  } = {},
): string {
  const { opening = null, state = null } = details;
  return formatReceipt({ kind: 'consent', ...head, body: { ...source, opening, state } });
}

/** The receipt of one record version of a batch; `entryIndex` counts from 0. It shows no other entry. */
export function recordVersionReceipt(
  head: ReceiptHead,
  source: RecordedTransaction,
  entryIndex: number,
  opening: RecordOpening | null = null,
): string {
  const { recorded, signer, transaction } = source;
  const parts = partsOf(transaction);
  const body = { recorded, signer, head: partAt(parts, 0), entry: partAt(parts, entryIndex + 1), opening };
  return formatReceipt({ kind: 'record-version', ...head, body });
}

/** The receipt of an entry of the access log under the anchor that covers it. */
export function accessEntryReceipt(
  head: ReceiptHead,
  anchor: RecordedTransaction,
  entry: { readonly bytes: Uint8Array; readonly index: number; readonly path: readonly Uint8Array[] },
): string {
  const [payload] = partsOf(anchor.transaction);
  assert(payload !== undefined, 'a transaction has a part');
  const body = {
    entry: entry.bytes,
    index: entry.index,
    path: entry.path,
    anchor: { recorded: anchor.recorded, signer: anchor.signer, payload },
  };
  return formatReceipt({ kind: 'access-entry', ...head, body });
}

/** The receipt of what the state says, or does not say, at a place. */
export function stateReceipt(
  head: ReceiptHead,
  subject: StateSubject,
  value: Uint8Array | undefined,
  proof: StateProof,
): string {
  return formatReceipt({ kind: 'state', ...head, body: { subject, value: value ?? null, proof } });
}

/** The receipt of an account's key at the head. */
export function accountKeyReceipt(head: ReceiptHead, accountId: Uint8Array, key: AccountKeyProof): string {
  return formatReceipt({ kind: 'account-key', ...head, body: { accountId, key } });
}

/** The receipt of the head itself. */
export function headReceipt(head: ReceiptHead): string {
  return formatReceipt({ kind: 'head', ...head, body: {} });
}

function partsOf(transaction: Uint8Array): readonly Uint8Array[] {
  const decoded = decodeTransaction(transaction);
  if (!decoded.ok)
    throw new AppError(
      'malformed-transaction',
      'The transaction of the receipt cannot be read. Fetch it again.',
    );
  return decoded.value.parts;
}

function partAt(parts: readonly Uint8Array[], index: number): PayloadPart {
  const bytes = parts[index];
  if (bytes === undefined) throw new AppError('not-found', 'The batch has no entry of this number.');
  const tree = new MerkleLog();
  for (const each of parts) tree.append(leafHash(each));
  return { bytes, index, count: parts.length, path: tree.inclusionProof(index) };
}
