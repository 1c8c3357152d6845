import { CanonicalReader, DecodeError, err, ok, type Result } from '../shared/index.ts';

/** Decodes a payload of one part: every byte is read, or it is no payload. */
export function decodeSinglePart<T>(
  parts: readonly Uint8Array[],
  read: (reader: CanonicalReader) => T,
): Result<T, DecodeError> {
  return decodeParts(() => {
    if (parts.length !== 1) throw new DecodeError('invalid-value', 'this transaction has one part');
    return readAll(parts[0] as Uint8Array, read);
  });
}

/** Turns the reader's exceptions into data; anything else is a bug and goes on. */
export function decodeParts<T>(read: () => T): Result<T, DecodeError> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof DecodeError) return err(error);
    throw error;
  }
}

export function readAll<T>(bytes: Uint8Array, read: (reader: CanonicalReader) => T): T {
  const reader = new CanonicalReader(bytes);
  const value = read(reader);
  reader.end();
  return value;
}
