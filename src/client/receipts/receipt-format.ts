import { MAX_TRANSACTION_BYTES } from '../../ledger/index.ts';
import { AppError, canonicalJson, err, ok, type Result, sha256, toHex, utf8 } from '../../shared/index.ts';
import {
  base64,
  type Codec,
  count,
  type Decoded,
  hex32,
  list,
  nullable,
  object,
  oneOf,
  ShapeError,
  text,
} from './json-codec.ts';

export const RECEIPT_FORMAT = 'careledger-receipt/v1';
/** A transaction of the largest size in base64, and a proof's worth more. */
export const MAX_RECEIPT_CHARACTERS = 3 << 20;
const MAX_GENESIS_BYTES = 64 << 10;
const MAX_NOTE_CHARACTERS = 64 << 10;
const MAX_PATH = 64;
const MAX_STATE_PATH = 256;
const MAX_LEAF_BYTES = 1024;
const MAX_STATE_VALUE_BYTES = 64 << 10;
const MAX_CONTENT_BYTES = 2 << 20;

const hash = base64(32);
export const path = list(hash, MAX_PATH);

/** A leaf of the history and its way to the root of the checkpoint. */
const recorded = object({ leaf: base64(MAX_LEAF_BYTES), index: count, path });

export const statePlace = object({
  siblings: list(hash, MAX_STATE_PATH),
  otherLeaf: nullable(object({ key: hex32, valueHash: hex32 })),
});

export const stateValue = object({ value: base64(MAX_STATE_VALUE_BYTES), proof: statePlace });

/** The key under the transaction's signature. `account` shows that it is the signer's, when the signer's id does not. */
const signer = object({ publicKey: hash, account: nullable(stateValue) });

/** One part of a payload and its way to the payload's root. */
const part = object({ bytes: base64(MAX_TRANSACTION_BYTES), index: count, count, path });

/** What opens a record's commitment; the holder may leave it out and show the receipt without the content. */
const recordOpening = object({
  salt: hex32,
  subject: nullable(text(64)),
  resourceType: text(64),
  id: text(64),
  version: count,
  content: base64(MAX_CONTENT_BYTES),
});

const bodies = {
  transaction: object({
    recorded,
    signer: nullable(signer),
    transaction: nullable(base64(MAX_TRANSACTION_BYTES)),
  }),
  'record-version': object({
    recorded,
    signer: nullable(signer),
    head: part,
    entry: part,
    opening: nullable(recordOpening),
  }),
  'access-entry': object({
    entry: base64(MAX_TRANSACTION_BYTES),
    index: count,
    path,
    anchor: object({ recorded, signer: nullable(signer), payload: base64(MAX_LEAF_BYTES) }),
  }),
  state: object({
    subject: object({
      table: oneOf(['account', 'party', 'consent', 'delegate', 'access-anchor', 'record-chain']),
      ids: list(hex32, 2),
    }),
    value: nullable(base64(MAX_STATE_VALUE_BYTES)),
    proof: statePlace,
  }),
  consent: object({
    recorded,
    signer: nullable(signer),
    transaction: base64(MAX_TRANSACTION_BYTES),
    opening: nullable(object({ salt: hex32, terms: base64(MAX_STATE_VALUE_BYTES) })),
    state: nullable(stateValue),
  }),
} as const;

export type ReceiptKind = keyof typeof bodies;
export type RecordedLeaf = Decoded<typeof recorded>;
export type ReceiptSigner = Decoded<typeof signer>;
export type PayloadPart = Decoded<typeof part>;
export type RecordOpening = Decoded<typeof recordOpening>;
export type StateSubject = Decoded<typeof bodies.state>['subject'];
export type ReceiptBody<K extends ReceiptKind> = Decoded<(typeof bodies)[K]>;
export type Receipt = {
  [K in ReceiptKind]: {
    readonly kind: K;
    readonly genesis: Uint8Array;
    readonly checkpoint: string;
    readonly body: ReceiptBody<K>;
  };
}[ReceiptKind];

export type ReceiptError =
  | 'receipt-too-large'
  | 'receipt-malformed'
  | 'receipt-not-canonical'
  | 'receipt-damaged';

const envelope = object({
  format: oneOf([RECEIPT_FORMAT]),
  genesis: base64(MAX_GENESIS_BYTES),
  checkpoint: text(MAX_NOTE_CHARACTERS),
});
const kinds = oneOf(Object.keys(bodies) as ReceiptKind[]);

/** The one text of a receipt: canonical JSON (RFC 8785) without a newline, with a digest of all its other members. */
export function formatReceipt(receipt: Receipt): string {
  const codec = bodies[receipt.kind] as Codec<unknown>;
  const head = envelope.encode({
    format: RECEIPT_FORMAT,
    genesis: receipt.genesis,
    checkpoint: receipt.checkpoint,
  }) as object;
  const members = { ...head, kind: receipt.kind, body: codec.encode(receipt.body) };
  return canonicalJson({ ...members, digest: digestOf(members) });
}

/** Strict: any other text of the same meaning is refused, and so is any text whose digest is not its own. */
export function parseReceipt(source: string): Result<Receipt, ReceiptError> {
  if (source.length > MAX_RECEIPT_CHARACTERS) return err('receipt-too-large');
  try {
    const json: unknown = JSON.parse(source);
    if (canonicalJson(json) !== source) return err('receipt-not-canonical');
    return readReceipt(json);
  } catch (error) {
    if (error instanceof ShapeError || error instanceof SyntaxError || error instanceof AppError)
      return err('receipt-malformed');
    throw error;
  }
}

function readReceipt(json: unknown): Result<Receipt, ReceiptError> {
  if (typeof json !== 'object' || json === null) return err('receipt-malformed');
  const { digest, kind: kindName, body, ...head } = json as Record<string, unknown>;
  const kind = kinds.decode(kindName);
  // The digest finds damage. It finds no forgery: the proofs do that.
  if (digest !== digestOf({ ...head, kind, body })) return err('receipt-damaged');
  const { genesis, checkpoint } = envelope.decode(head);
  return ok({ kind, genesis, checkpoint, body: (bodies[kind] as Codec<unknown>).decode(body) } as Receipt);
}

function digestOf(members: object): string {
  return toHex(sha256(utf8(canonicalJson(members))));
}
