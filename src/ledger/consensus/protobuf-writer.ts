import { assert, concatBytes, utf8 } from '../../shared/index.ts';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const MASK_64 = (1n << 64n) - 1n;

/**
 * The part of the protobuf encoding that consensus signs and hashes: fields in the order of their numbers, a scalar of its zero value
 * left out, and integers in their shortest form (protobuf.dev, "Encoding"; gogoproto writes the same bytes).
 */
export class ProtobufWriter {
  readonly #chunks: Uint8Array[] = [];

  /** An int32, int64, uint32, uint64 or enum field; left out when zero. A negative one takes ten bytes, as int64 does. */
  varint(field: number, value: number | bigint): this {
    const number = BigInt(value);
    return number === 0n ? this : this.#push(tag(field, VARINT), varint(number & MASK_64));
  }

  /** An sfixed64 field; left out when zero. */
  fixed64(field: number, value: number): this {
    if (value === 0) return this;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
    return this.#push(tag(field, FIXED64), bytes);
  }

  /** A bytes field; left out when empty. */
  bytes(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.message(field, value);
  }

  /** A string field; left out when empty. */
  string(field: number, value: string): this {
    return this.bytes(field, utf8(value));
  }

  /** A message that is there even when it is empty, as gogoproto writes one that is not nullable. */
  message(field: number, encoded: Uint8Array): this {
    return this.#push(tag(field, LENGTH_DELIMITED), varint(BigInt(encoded.length)), encoded);
  }

  finish(): Uint8Array {
    return concatBytes(...this.#chunks);
  }

  #push(...chunks: readonly Uint8Array[]): this {
    this.#chunks.push(...chunks);
    return this;
  }
}

/** A message after its length, as votes are signed. */
export function lengthDelimited(message: Uint8Array): Uint8Array {
  return concatBytes(varint(BigInt(message.length)), message);
}

function tag(field: number, wireType: number): Uint8Array {
  return varint(BigInt((field << 3) | wireType));
}

function varint(value: bigint): Uint8Array {
  assert(value >= 0n && value <= MASK_64, 'a varint is an unsigned number of 64 bits');
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
