import { fromUtf8 } from './bytes.ts';

export type DecodeErrorCode =
  | 'truncated'
  | 'trailing-bytes'
  | 'too-long'
  | 'not-ascii'
  | 'integer-too-large'
  | 'invalid-value';

/** The bytes are not the canonical encoding of anything. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code: DecodeErrorCode;

  constructor(code: DecodeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Reads what CanonicalWriter wrote, and refuses every other byte string. Slices are copies, so the input may change later. */
export class CanonicalReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#integer(1);
  }

  u16(): number {
    return this.#integer(2);
  }

  u32(): number {
    return this.#integer(4);
  }

  u64(): number {
    const value = this.#integer(8);
    if (!Number.isSafeInteger(value))
      throw new DecodeError('integer-too-large', 'an integer is above 2^53 - 1');
    return value;
  }

  fixed(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  bytes(maxLength: number): Uint8Array {
    const length = this.u32();
    if (length > maxLength)
      throw new DecodeError('too-long', `a field of ${length} bytes is longer than ${maxLength}`);
    return this.fixed(length);
  }

  ascii(maxLength: number): string {
    const length = this.u16();
    if (length > maxLength)
      throw new DecodeError('too-long', `a text of ${length} characters is longer than ${maxLength}`);
    const text = fromUtf8(this.fixed(length));
    if (text === undefined || !/^[\x20-\x7e]*$/.test(text))
      throw new DecodeError('not-ascii', 'a text is not printable ASCII');
    return text;
  }

  remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  end(): void {
    if (this.remaining() !== 0)
      throw new DecodeError('trailing-bytes', `${this.remaining()} bytes follow the end`);
  }

  #integer(width: number): number {
    const start = this.#take(width);
    let value = 0;
    for (let index = start; index < start + width; index += 1)
      value = value * 256 + (this.#bytes[index] as number);
    return value;
  }

  #take(length: number): number {
    if (length > this.remaining())
      throw new DecodeError('truncated', `${length} bytes are needed and ${this.remaining()} are left`);
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}
