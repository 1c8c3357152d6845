import { MAX_TRANSACTION_BYTES } from '../../ledger/index.ts';
import { err, ok, type Result } from '../../shared/index.ts';
import { openSealedJson, type SealError, sealJson } from '../sealed-json.ts';
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
const MAX_ROTATION_BYTES = 256;
/** Of an account whose key changed more often, receipts come without the signer's key. */
export const MAX_ROTATIONS = 64;
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

/** A recorded change of an account's key: `payload` is that of the rotate-key transaction. */
const rotation = object({ recorded, payload: base64(MAX_ROTATION_BYTES) });

/**
 * A key of an account, shown without any state: the key that the account is named after, and every change of it up to the one
 * that is meant, each signed with the key before it.
 */
export const accountKeyProof = object({ publicKey: hash, rotations: list(rotation, MAX_ROTATIONS) });

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
    signer: nullable(accountKeyProof),
    transaction: nullable(base64(MAX_TRANSACTION_BYTES)),
  }),
  'record-version': object({
    recorded,
    signer: nullable(accountKeyProof),
    head: part,
    entry: part,
    opening: nullable(recordOpening),
  }),
  'access-entry': object({
    entry: base64(MAX_TRANSACTION_BYTES),
    index: count,
    path,
    anchor: object({ recorded, signer: nullable(accountKeyProof), payload: base64(MAX_LEAF_BYTES) }),
  }),
  state: object({
    subject: object({
      table: oneOf(['account', 'party', 'consent', 'delegate', 'access-anchor', 'record-chain']),
      ids: list(hex32, 2),
    }),
    value: nullable(base64(MAX_STATE_VALUE_BYTES)),
    proof: statePlace,
  }),
  'account-key': object({ accountId: hex32, key: accountKeyProof }),
  consent: object({
    recorded,
    signer: nullable(accountKeyProof),
    transaction: base64(MAX_TRANSACTION_BYTES),
    opening: nullable(object({ salt: hex32, terms: base64(MAX_STATE_VALUE_BYTES) })),
    state: nullable(stateValue),
  }),
} as const;

export type ReceiptKind = keyof typeof bodies;
export type RecordedLeaf = Decoded<typeof recorded>;
export type AccountKeyProof = Decoded<typeof accountKeyProof>;
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

export type ReceiptError = SealError;

const envelope = object({
  format: oneOf([RECEIPT_FORMAT]),
  genesis: base64(MAX_GENESIS_BYTES),
  checkpoint: text(MAX_NOTE_CHARACTERS),
});
const kinds = oneOf(Object.keys(bodies) as ReceiptKind[]);

/** The one text of a receipt. */
export function formatReceipt(receipt: Receipt): string {
  const { kind, genesis, checkpoint, body } = receipt;
  const head = envelope.encode({ format: RECEIPT_FORMAT, genesis, checkpoint }) as object;
  return sealJson({ ...head, kind, body: (bodies[kind] as Codec<unknown>).encode(body) });
}

/** Strict: any other text of the same meaning is refused, and so is any text whose digest is not its own. */
export function parseReceipt(source: string): Result<Receipt, ReceiptError> {
  const opened = openSealedJson(source, MAX_RECEIPT_CHARACTERS);
  if (!opened.ok) return opened;
  try {
    const { kind: kindName, body, ...head } = opened.value;
    const kind = kinds.decode(kindName);
    const { genesis, checkpoint } = envelope.decode(head);
    return ok({ kind, genesis, checkpoint, body: (bodies[kind] as Codec<unknown>).decode(body) } as Receipt);
  } catch (error) {
    if (error instanceof ShapeError) return err('receipt-malformed');
    throw error;
  }
}
