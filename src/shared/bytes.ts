/** Bytes and their text forms. Every parser here is strict: one text for one byte string. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };
declare function btoa(binary: string): string;
declare function atob(text: string): string;

type NodeBuffer = {
  from(
    memory: ArrayBufferLike,
    offset: number,
    length: number,
  ): { toString(encoding: 'hex' | 'base64' | 'base64url'): string };
};
/** Node's own encoders are several times as fast as the portable ones below; both give the same text. */
const nodeBuffer = (globalThis as { Buffer?: NodeBuffer }).Buffer;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const HEX_DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Whether both hold the same bytes. Not constant time: for public values only. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}

/** Lexicographic order by unsigned byte; a prefix comes first. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index += 1) {
    const difference = (left[index] as number) - (right[index] as number);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

export function toHex(bytes: Uint8Array): string {
  if (nodeBuffer !== undefined) return encodeNatively(nodeBuffer, bytes, 'hex');
  let text = '';
  for (const byte of bytes) text += HEX_DIGITS[byte];
  return text;
}

/** Lower-case hexadecimal of an even length, or undefined. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1)
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  return bytes;
}

/** Base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  if (nodeBuffer !== undefined) return encodeNatively(nodeBuffer, bytes, 'base64');
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Canonical base64 with padding, or undefined: no white space, and the unused bits are zero (RFC 4648 section 3.5). */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bytes = decodeBinary(text);
  return bytes !== undefined && toBase64(bytes) === text ? bytes : undefined;
}

/** Base64url without padding (RFC 4648 section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  if (nodeBuffer !== undefined) return encodeNatively(nodeBuffer, bytes, 'base64url');
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Canonical base64url without padding, or undefined. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined;
  const padding = '='.repeat((4 - (text.length % 4)) % 4);
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/') + padding);
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of well-formed UTF-8, or undefined. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function encodeNatively(
  buffer: NodeBuffer,
  bytes: Uint8Array,
  encoding: 'hex' | 'base64' | 'base64url',
): string {
  return buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encoding);
}

function decodeBinary(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
