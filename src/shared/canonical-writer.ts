import { assert } from './assert.ts';
import { utf8 } from './bytes.ts';

const FIRST_CAPACITY = 256;

/** Writes canonical bytes: fixed-width big-endian integers, and lengths before what varies (docs/protocol.md, "Encoding"). */
export class CanonicalWriter {
  #buffer = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

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
    assert(bytes.length === length, `expected ${length} bytes and got ${bytes.length}`);
    return this.#append(bytes);
  }

  /** Up to `maxLength` bytes after their length as u32. */
  bytes(bytes: Uint8Array, maxLength: number): this {
    assert(bytes.length <= maxLength, `expected at most ${maxLength} bytes and got ${bytes.length}`);
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

  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  #integer(value: number, width: number, max: number): this {
    assert(
      Number.isSafeInteger(value) && value >= 0 && value <= max,
      `${value} does not fit ${width} unsigned bytes`,
    );
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
    if (this.#length + extra <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + extra));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
