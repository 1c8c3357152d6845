import { fromBase64, fromHex, toBase64, toHex } from '../../shared/index.ts';

/** Between a value and its one JSON form. `decode` throws ShapeError for every other form. */
export type Codec<T> = { encode(value: T): unknown; decode(json: unknown): T };
export type Decoded<C> = C extends Codec<infer T> ? T : never;

/** The JSON is not of the shape that the format says. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

/** Up to `maxBytes` bytes as canonical base64. */
export function base64(maxBytes: number): Codec<Uint8Array> {
  return {
    encode: toBase64,
    decode(json) {
      const bytes = typeof json === 'string' ? fromBase64(json) : undefined;
      if (bytes === undefined || bytes.length > maxBytes)
        throw new ShapeError(`expected base64 of at most ${maxBytes} bytes`);
      return bytes;
    },
  };
}

/** Exactly 32 bytes as lower-case hexadecimal. */
export const hex32: Codec<Uint8Array> = {
  encode: toHex,
  decode(json) {
    const bytes = typeof json === 'string' ? fromHex(json) : undefined;
    if (bytes?.length !== 32) throw new ShapeError('expected 64 hexadecimal digits');
    return bytes;
  },
};

export const count: Codec<number> = {
  encode: (value) => value,
  decode(json) {
    if (typeof json !== 'number' || !Number.isSafeInteger(json) || json < 0)
      throw new ShapeError('expected a whole number');
    return json;
  },
};

export function text(maxCharacters: number): Codec<string> {
  return {
    encode: (value) => value,
    decode(json) {
      if (typeof json !== 'string' || json.length > maxCharacters)
        throw new ShapeError(`expected a text of at most ${maxCharacters} characters`);
      return json;
    },
  };
}

/** A text of one form, which leaves no room for anything else that a reader would take for words of ours. */
export function matching(pattern: RegExp): Codec<string> {
  return {
    encode: (value) => value,
    decode(json) {
      if (typeof json !== 'string' || !pattern.test(json)) throw new ShapeError(`expected ${pattern}`);
      return json;
    },
  };
}

export function oneOf<const Names extends readonly string[]>(names: Names): Codec<Names[number]> {
  return {
    encode: (value) => value,
    decode(json) {
      const found = names.find((name) => name === json);
      if (found === undefined) throw new ShapeError(`expected one of ${names.join(', ')}`);
      return found;
    },
  };
}

export function list<T>(item: Codec<T>, maxItems: number): Codec<readonly T[]> {
  return {
    encode: (values) => values.map((value) => item.encode(value)),
    decode(json) {
      if (!Array.isArray(json) || json.length > maxItems)
        throw new ShapeError(`expected a list of at most ${maxItems}`);
      return json.map((value: unknown) => item.decode(value));
    },
  };
}

export function nullable<T>(codec: Codec<T>): Codec<T | null> {
  return {
    encode: (value) => (value === null ? null : codec.encode(value)),
    decode: (json) => (json === null ? null : codec.decode(json)),
  };
}

type Fields = Record<string, Codec<unknown>>;
type ObjectOf<F extends Fields> = { readonly [Name in keyof F]: Decoded<F[Name]> };

/** Every field, and no other. */
export function object<F extends Fields>(fields: F): Codec<ObjectOf<F>> {
  const names = Object.keys(fields).sort();
  return {
    encode: (value) => Object.fromEntries(names.map((name) => [name, fields[name]?.encode(value[name])])),
    decode(json) {
      if (typeof json !== 'object' || json === null || Array.isArray(json))
        throw new ShapeError('expected an object');
      const given = Object.keys(json).sort();
      if (given.join() !== names.join()) throw new ShapeError(`expected the fields ${names.join(', ')}`);
      const members = json as Record<string, unknown>;
      return Object.fromEntries(
        names.map((name) => [name, fields[name]?.decode(members[name])]),
      ) as ObjectOf<F>;
    },
  };
}
