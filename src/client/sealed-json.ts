import { AppError, canonicalJson, err, ok, type Result, sha256, toHex, utf8 } from '../shared/index.ts';

export type SealError =
  | 'receipt-too-large'
  | 'receipt-malformed'
  | 'receipt-not-canonical'
  | 'receipt-damaged';

/** Canonical JSON (RFC 8785) without a newline, with a digest of all its other members. It finds damage, not forgery: proofs do that. */
export function sealJson(members: Record<string, unknown>): string {
  return canonicalJson({ ...members, digest: digestOf(members) });
}

/** The members of a text that sealJson wrote. Any other text of the same meaning is refused. */
export function openSealedJson(
  source: string,
  maxCharacters: number,
): Result<Record<string, unknown>, SealError> {
  if (source.length > maxCharacters) return err('receipt-too-large');
  try {
    const json: unknown = JSON.parse(source);
    if (canonicalJson(json) !== source) return err('receipt-not-canonical');
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return err('receipt-malformed');
    const { digest, ...members } = json as Record<string, unknown>;
    return digest === digestOf(members) ? ok(members) : err('receipt-damaged');
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof AppError) return err('receipt-malformed');
    throw error;
  }
}

function digestOf(members: Record<string, unknown>): string {
  return toHex(sha256(utf8(canonicalJson(members))));
}
