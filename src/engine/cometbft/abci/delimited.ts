import { concatBytes } from '../../../shared/index.ts';

/** No message of the protocol is longer: a block, a whole mempool, or a snapshot chunk of at most 16 MB, with room to spare. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/** Enough for 2^35, which is far over the limit. */
const MAX_PREFIX_BYTES = 5;

/** The bytes on the socket are no sequence of length-delimited messages. */
export class FramingError extends Error {}

/** A message with its length before it, as an unsigned varint (CometBFT, libs/protoio). */
export function delimit(message: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let rest = message.length;
  for (; rest > 0x7f; rest >>>= 7) prefix.push((rest & 0x7f) | 0x80);
  prefix.push(rest);
  const bytes = new Uint8Array(prefix.length + message.length);
  bytes.set(prefix, 0);
  bytes.set(message, prefix.length);
  return bytes;
}

/** Cuts what arrives on a socket into messages. A length over the limit is refused before anything is kept for it. */
export class DelimitedReader {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #needed = 1;

  constructor(limit: number = MAX_MESSAGE_BYTES) {
    this.#limit = limit;
  }

  /** The messages that are whole now, as views into what arrived. Throws FramingError. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return [];
    const bytes = this.#chunks.length === 1 ? chunk : concatBytes(...this.#chunks);
    const messages: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const prefix = this.#readPrefix(bytes, at);
      this.#needed = prefix === undefined ? bytes.length - at + 1 : prefix.bytes + prefix.length;
      if (prefix === undefined || at + this.#needed > bytes.length) break;
      messages.push(bytes.subarray(at + prefix.bytes, at + this.#needed));
      at += this.#needed;
    }
    this.#held = bytes.length - at;
    this.#chunks = this.#held === 0 ? [] : [bytes.subarray(at)];
    return messages;
  }

  #readPrefix(bytes: Uint8Array, start: number): { bytes: number; length: number } | undefined {
    let length = 0;
    for (let index = 0; index < MAX_PREFIX_BYTES; index++) {
      const byte = bytes[start + index];
      if (byte === undefined) return undefined;
      length += (byte & 0x7f) * 2 ** (7 * index);
      if (length > this.#limit)
        throw new FramingError(`a message of ${length} bytes or more is over the limit of ${this.#limit}`);
      if (byte < 0x80) return { bytes: index + 1, length };
    }
    throw new FramingError('a message has no length before it');
  }
}
