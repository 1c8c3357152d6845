import { CheckTxType, type RequestCheckTx } from 'cosmjs-types/tendermint/abci/types';

/** Tags of protobuf (field number and wire type) of `Request.check_tx`, `RequestCheckTx.tx` and `RequestCheckTx.type`. */
const CHECK_TX = (8 << 3) | 2;
const TX = (1 << 3) | 2;
const TYPE = 2 << 3;
const TYPE_BYTES = 2;
/** Enough for 2^28, which is over the length of any message. */
const MAX_LENGTH_BYTES = 4;

type Field = { readonly start: number; readonly length: number };

/**
 * The CheckTx request that a message holds, where it is encoded as CometBFT encodes one: the transaction, then the type unless it is new.
 * Undefined for every other message, which the general decoder takes. Most messages are this one, and the general decoder copies
 * each twice; here the transaction is a view into the message.
 */
export function readCheckTx(message: Uint8Array): RequestCheckTx | undefined {
  const body = fieldAt(message, 0, CHECK_TX);
  if (body === undefined || body.start + body.length !== message.length) return undefined;
  const tx = fieldAt(message, body.start, TX);
  if (tx === undefined) return undefined;
  const end = tx.start + tx.length;
  const type = typeAt(message, end);
  return type === undefined ? undefined : { tx: message.subarray(tx.start, end), type };
}

function typeAt(message: Uint8Array, at: number): CheckTxType | undefined {
  if (at === message.length) return CheckTxType.NEW;
  const isRecheck =
    at + TYPE_BYTES === message.length && message[at] === TYPE && message[at + 1] === CheckTxType.RECHECK;
  return isRecheck ? CheckTxType.RECHECK : undefined;
}

/** Where the bytes of a field are; undefined where it is not that field, or they are not all there. */
function fieldAt(message: Uint8Array, at: number, tag: number): Field | undefined {
  if (message[at] !== tag) return undefined;
  let length = 0;
  for (let index = 0; index < MAX_LENGTH_BYTES; index++) {
    const byte = message[at + 1 + index];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * index);
    const start = at + 2 + index;
    if (byte < 0x80) return start + length <= message.length ? { start, length } : undefined;
  }
  return undefined;
}
