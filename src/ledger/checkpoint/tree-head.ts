import { err, fromBase64, ok, type Result, toBase64 } from '../../shared/index.ts';
import type { NoteError } from './note.ts';

/** The head of any transparency log, as every witness understands it (c2sp.org/tlog-checkpoint, "Note text"). */
export type TreeHead = {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly extensions: readonly string[];
};

const HASH_BYTES = 32;
const MAX_EXTENSIONS = 32;

export function parseTreeHead(text: string): Result<TreeHead, NoteError> {
  if (!text.endsWith('\n')) return err('checkpoint-malformed');
  const lines = text.slice(0, -1).split('\n');
  const [origin, sizeText, rootText, ...extensions] = lines;
  if (origin === undefined || sizeText === undefined || rootText === undefined)
    return err('checkpoint-malformed');
  if (lines.some((line) => line.length === 0) || extensions.length > MAX_EXTENSIONS)
    return err('checkpoint-malformed');
  const size = parseDecimal(sizeText);
  const root = fromBase64(rootText);
  if (size === undefined || root?.length !== HASH_BYTES) return err('checkpoint-malformed');
  return ok({ origin, size, root, extensions });
}

export function formatTreeHead(head: TreeHead): string {
  return `${[head.origin, String(head.size), toBase64(head.root), ...head.extensions].join('\n')}\n`;
}

/** ASCII decimal without leading zeroes up to 2^53 - 1, or undefined. */
export function parseDecimal(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
