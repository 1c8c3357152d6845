import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/index.ts';

/** Deep enough for any FHIR resource with nested extensions, shallow enough that no parser recurses far. */
const MAX_JSON_DEPTH = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Reads a request's body, refusing one longer than `limitBytes` before it is in memory. */
export function readBody(incoming: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const declared = Number(incoming.headers['content-length'] ?? 0);
  if (declared > limitBytes) return Promise.reject(tooLarge(limitBytes));
  const encoding = incoming.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return Promise.reject(new AppError('unsupported-media-type', 'Send the body without Content-Encoding.'));
  }
  return collect(incoming, limitBytes);
}

function collect(incoming: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let total = 0;
    incoming.on('data', (chunk: Buffer) => {
      total += chunk.length;
      if (total > limitBytes) return reject(tooLarge(limitBytes));
      chunks.push(chunk);
    });
    incoming.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    incoming.on('error', (cause) =>
      reject(new AppError('request-aborted', 'The request ended before its body did.', { cause })),
    );
    incoming.on('aborted', () =>
      reject(new AppError('request-aborted', 'The request ended before its body did.')),
    );
  });
}

function tooLarge(limitBytes: number): AppError {
  return new AppError(
    'body-too-large',
    `The body is larger than the ${limitBytes} bytes allowed here. Send it in smaller parts.`,
  );
}

/**
 * Parses JSON text of limited depth. The nesting is measured before parsing, and the parser's own message is
 * dropped because it quotes the input, which may be a patient's.
 */
export function parseJson(bytes: Uint8Array): unknown {
  refuseDeepJson(bytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new AppError('malformed-json', 'The body is not UTF-8 text.');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('malformed-json', 'The body is not well-formed JSON.');
  }
}

/** Refuses JSON that nests deeper than any resource has reason to. */
export function refuseDeepJson(bytes: Uint8Array): void {
  if (!jsonDepthExceeds(bytes, MAX_JSON_DEPTH)) return;
  throw new AppError(
    'nesting-too-deep',
    `The JSON is nested deeper than the ${MAX_JSON_DEPTH} levels allowed.`,
  );
}

/** Whether brackets outside strings nest deeper than `maxDepth`; one pass, no recursion. */
export function jsonDepthExceeds(bytes: Uint8Array, maxDepth: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
      continue;
    }
    if (byte === QUOTE) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return false;
}
