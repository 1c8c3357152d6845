import { assert } from './assert.ts';
import { utf8 } from './bytes.ts';

const FIRST_CAPACITY = 1024;
const MAX_SPARE_CAPACITY = 1 << 16;

const MAX_SPARES = 4;

/** Buffers of writers that finished, for the next ones: most writers live for one small structure. */
const spares: Uint8Array<ArrayBuffer>[] = [];

/** Writes canonical bytes: fixed-width big-endian integers, and lengths before what varies (docs/protocol.md, "Encoding"). */
export class CanonicalWriter {
  #buffer = takeBuffer();
  #length = 0;
  #isFinished = false;

  u8(value: number): this {
    return this.#integer(value, 1, 0xff);
  }

  u16(value: number): this {
    return this.#integer(value, 2, 0xffff);
  }

  u32(value: number): this {
    return this.#integer(value, 4, 0xffffffff);
  }

  /** An integer up to 2^53 - 1 in eight bytes. */
  u64(value: number): this {
    return this.#integer(value, 8, Number.MAX_SAFE_INTEGER);
  }

  /** Exactly `length` bytes, with no length before them. */
  fixed(bytes: Uint8Array, length: number): this {
    if (bytes.length !== length) assert(false, `expected ${length} bytes and got ${bytes.length}`);
    return this.#append(bytes);
  }

  /** Up to `maxLength` bytes after their length as u32. */
  bytes(bytes: Uint8Array, maxLength: number): this {
    if (bytes.length > maxLength)
      assert(false, `expected at most ${maxLength} bytes and got ${bytes.length}`);
    return this.u32(bytes.length).#append(bytes);
  }

  /** Printable ASCII (0x20 to 0x7e) after its length as u16. */
  ascii(text: string, maxLength: number): this {
    assert(
      text.length <= maxLength && /^[\x20-\x7e]*$/.test(text),
      `expected at most ${maxLength} printable ASCII characters`,
    );
    return this.u16(text.length).#append(utf8(text));
  }

  /** The bytes written. Ends the writer: its buffer goes to another one. */
  finish(): Uint8Array {
    assert(!this.#isFinished, 'a writer is finished once');
    this.#isFinished = true;
    const written = this.#buffer.slice(0, this.#length);
    if (this.#buffer.length <= MAX_SPARE_CAPACITY && spares.length < MAX_SPARES) spares.push(this.#buffer);
    return written;
  }

  #integer(value: number, width: number, max: number): this {
    // The message is made only when it is needed: this is the hottest line of the ledger.
    if (!Number.isSafeInteger(value) || value < 0 || value > max)
      assert(false, `${value} does not fit ${width} unsigned bytes`);
    this.#reserve(width);
    let rest = value;
    for (let index = this.#length + width - 1; index >= this.#length; index -= 1) {
      this.#buffer[index] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#length += width;
    return this;
  }

  #append(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #reserve(extra: number): void {
    assert(!this.#isFinished, 'a finished writer is not written to');
    if (this.#length + extra <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + extra));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

function takeBuffer(): Uint8Array<ArrayBuffer> {
  return spares.pop() ?? new Uint8Array(FIRST_CAPACITY);
}
