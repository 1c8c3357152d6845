import { MAX_BLOCK_HEADER_BYTES, MAX_LIGHT_BLOCK_BYTES, MAX_TRANSACTION_BYTES } from '../../ledger/index.ts';
import { err, ok, type Result } from '../../shared/index.ts';
import { openSealedJson, type SealError, sealJson } from '../sealed-json.ts';
import {
  base64,
  type Codec,
  count,
  type Decoded,
  hex32,
  list,
  matching,
  nullable,
  object,
  oneOf,
  ShapeError,
  text,
} from './json-codec.ts';

/** Of a chain with one operator, who signs the checkpoint. */
export const RECEIPT_FORMAT = 'careledger-receipt/v1';
/** Of a consortium, whose validators decide the checkpoint. */
const CONSORTIUM_FORMAT = 'careledger-receipt/v2';
/** A transaction of the largest size in base64, and a proof's worth more. */
export const MAX_RECEIPT_CHARACTERS = 3 << 20;
const MAX_GENESIS_BYTES = 64 << 10;
const MAX_NOTE_CHARACTERS = 64 << 10;
const MAX_PATH = 64;
const MAX_STATE_PATH = 256;
const MAX_LEAF_BYTES = 1024;
const MAX_ROTATION_BYTES = 256;
/** Changes that lead to a key; of an account that had more keys, receipts come without the signer's. */
export const MAX_ROTATIONS = 256;
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
 * A key of an account, shown without any state: the key that the account is named after, and the changes of it that lead to the one
 * that is meant, each signed with the key before it; and perhaps the one after it. What came back to an earlier key may be left out.
 */
export const accountKeyProof = object({ publicKey: hash, rotations: list(rotation, MAX_ROTATIONS + 1) });

/** One part of a payload and its way to the payload's root. */
const part = object({ bytes: base64(MAX_TRANSACTION_BYTES), index: count, count, path });

const fhirId = matching(/^[A-Za-z0-9.-]{1,64}$/);

/** What opens a record's commitment; the holder may leave it out and show the receipt without the content. */
const recordOpening = object({
  salt: hex32,
  subject: nullable(fhirId),
  resourceType: matching(/^[A-Za-z]{1,64}$/),
  id: fhirId,
  version: count,
  content: base64(MAX_CONTENT_BYTES),
});

/** Blocks from the genesis to the one that carries the head; more would mean that the validators changed every few days for years. */
export const MAX_CHAIN_BLOCKS = 128;

/**
 * What the validators signed. `blocks` lead from the genesis to the block whose header carries the head; `blockBefore` is the header
 * of the block that gave the head, null where that is the genesis; `validators` shows by the head's state whose they are, and is null
 * where only the genesis says it.
 */
export const consensusProof = object({
  blockBefore: nullable(base64(MAX_BLOCK_HEADER_BYTES)),
  blocks: list(base64(MAX_LIGHT_BLOCK_BYTES), MAX_CHAIN_BLOCKS),
  validators: nullable(stateValue),
});
export type ConsensusProof = Decoded<typeof consensusProof>;

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
  head: object({}),
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
    /** There where the chain's genesis has validators, and only there. */
    readonly consensus?: ConsensusProof;
    readonly body: ReceiptBody<K>;
  };
}[ReceiptKind];

export type ReceiptError = SealError;

const head = { genesis: base64(MAX_GENESIS_BYTES), checkpoint: text(MAX_NOTE_CHARACTERS) };
const envelope = object({ format: oneOf([RECEIPT_FORMAT]), ...head });
const consortiumEnvelope = object({
  format: oneOf([CONSORTIUM_FORMAT]),
  ...head,
  consensus: consensusProof,
});
const kinds = oneOf(Object.keys(bodies) as ReceiptKind[]);

/** The one text of a receipt. */
export function formatReceipt(receipt: Receipt): string {
  const { kind, body } = receipt;
  return sealJson({ ...encodeHead(receipt), kind, body: (bodies[kind] as Codec<unknown>).encode(body) });
}

function encodeHead({ genesis, checkpoint, consensus }: Receipt): object {
  const members = { genesis, checkpoint };
  const encoded =
    consensus === undefined
      ? envelope.encode({ format: RECEIPT_FORMAT, ...members })
      : consortiumEnvelope.encode({ format: CONSORTIUM_FORMAT, ...members, consensus });
  return encoded as object;
}

function decodeHead(members: Record<string, unknown>): Pick<Receipt, 'genesis' | 'checkpoint' | 'consensus'> {
  const isConsortium = members['format'] === CONSORTIUM_FORMAT;
  const { format: _, ...decoded } = (isConsortium ? consortiumEnvelope : envelope).decode(members);
  return decoded;
}

/** Strict: any other text of the same meaning is refused, and so is any text whose digest is not its own. */
export function parseReceipt(source: string): Result<Receipt, ReceiptError> {
  const opened = openSealedJson(source, MAX_RECEIPT_CHARACTERS);
  if (!opened.ok) return opened;
  try {
    const { kind: kindName, body, ...members } = opened.value;
    const kind = kinds.decode(kindName);
    const decoded = (bodies[kind] as Codec<unknown>).decode(body);
    return ok({ kind, ...decodeHead(members), body: decoded } as Receipt);
  } catch (error) {
    if (error instanceof ShapeError) return err('receipt-malformed');
    throw error;
  }
}
