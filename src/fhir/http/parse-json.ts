import { AppError, fromUtf8 } from '../../shared/index.ts';

export const MAX_JSON_DEPTH = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** Parses a body once, at the border. Depth is counted before parsing, so that nesting costs nothing. */
export function parseJson(body: Uint8Array): unknown {
  refuseDeepNesting(body);
  const text = fromUtf8(body);
  if (text === undefined) throw new AppError('malformed-json', 'The body is not UTF-8 text.');
  try {
    return JSON.parse(text, refusePrototypes);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('malformed-json', 'The body is not well-formed JSON.');
  }
}

function refusePrototypes(name: string, value: unknown): unknown {
  if (name === '__proto__') throw new AppError('malformed-json', 'An element cannot be called __proto__.');
  return value;
}

function refuseDeepNesting(body: Uint8Array): void {
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at] as number;
    if (isInText) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInText = false;
    } else if (byte === QUOTE) isInText = true;
    else if (OPENING.has(byte)) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH)
        throw new AppError(
          'nesting-too-deep',
          `The JSON is nested deeper than the ${MAX_JSON_DEPTH} levels allowed.`,
        );
    } else if (CLOSING.has(byte)) depth -= 1;
  }
}
