import type { StateWrite } from '../ledger/index.ts';

/** What the index is brought up to by a batch: the last block whose writes it holds. */
export type IndexMark = { readonly height: number; readonly frameHash: Uint8Array };

const KEY_BYTES = 32;
const HEADER_BYTES = 8 + 32 + 4;
const ABSENT = 0xffffffff;

/** Packs writes into one buffer that can be transferred to the index worker. */
export function packWrites(mark: IndexMark, writes: readonly StateWrite[]): Uint8Array<ArrayBuffer> {
  const size = writes.reduce((sum, [, value]) => sum + KEY_BYTES + 4 + (value?.length ?? 0), HEADER_BYTES);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(mark.height));
  bytes.set(mark.frameHash, 8);
  view.setUint32(40, writes.length);
  let at = HEADER_BYTES;
  for (const [key, value] of writes) {
    bytes.set(key, at);
    view.setUint32(at + KEY_BYTES, value?.length ?? ABSENT);
    if (value !== undefined) bytes.set(value, at + KEY_BYTES + 4);
    at += KEY_BYTES + 4 + (value?.length ?? 0);
  }
  return bytes;
}

export function unpackMark(bytes: Uint8Array): IndexMark {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { height: Number(view.getBigUint64(0)), frameHash: bytes.subarray(8, 40) };
}

/** The writes of a packed buffer, as views into it. */
export function* unpackWrites(bytes: Uint8Array): Generator<StateWrite> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(40);
  let at = HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    const valueAt = at + KEY_BYTES + 4;
    const length = view.getUint32(valueAt - 4);
    const end = length === ABSENT ? valueAt : valueAt + length;
    yield [bytes.subarray(at, at + KEY_BYTES), length === ABSENT ? undefined : bytes.subarray(valueAt, end)];
    at = end;
  }
}
