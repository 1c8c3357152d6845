import { publicKeyOf, signMessage, verifySignature } from '../../identity/index.ts';
import {
  CanonicalReader,
  CanonicalWriter,
  DecodeError,
  err,
  ok,
  type Result,
  utf8,
} from '../../shared/index.ts';
import {
  formatNote,
  formatSignatureLine,
  MAX_NOTE_SIGNATURES,
  type NoteError,
  type NoteSignature,
  parseNote,
  parseSignatureLines,
} from './note.ts';
import { noteKeyId, type VerifierKey } from './verifier-key.ts';

const SIGNATURE_BYTES = 64;
const COSIGNATURE_BYTES = 8 + SIGNATURE_BYTES;

/**
 * The signature line by which a witness states that it saw this text as the log's largest consistent head at this time
 * (c2sp.org/tlog-cosignature, "Ed25519 signed message"). `text` is the note's text with its last newline.
 */
export function cosign(
  text: string,
  witness: { name: string; seed: Uint8Array },
  timeSeconds: number,
): string {
  const signature = signMessage(witness.seed, cosignedMessage(text, timeSeconds));
  const key: VerifierKey = { name: witness.name, kind: 'witness', publicKey: publicKeyOf(witness.seed) };
  const stamped = new CanonicalWriter().u64(timeSeconds).fixed(signature, SIGNATURE_BYTES).finish();
  return formatSignatureLine({ name: key.name, keyId: noteKeyId(key), signature: stamped });
}

/** The time that a witness stated, or undefined when the line is not its signature over the text. */
export function verifyCosignature(text: string, line: NoteSignature, key: VerifierKey): number | undefined {
  if (key.kind !== 'witness' || line.name !== key.name || line.keyId !== noteKeyId(key)) return undefined;
  const timeSeconds = statedTime(line.signature);
  if (timeSeconds === undefined) return undefined;
  const isValid = verifySignature(key.publicKey, cosignedMessage(text, timeSeconds), line.signature.slice(8));
  return isValid ? timeSeconds : undefined;
}

/**
 * Adds to a signed checkpoint the valid cosignatures of known witnesses in a witness's answer, and drops all others, so a
 * witness cannot place anything else in the note. A newer cosignature of a witness replaces its older one.
 */
export function addCosignatures(
  note: string,
  lines: string,
  witnesses: readonly VerifierKey[],
): Result<string, NoteError> {
  const parsed = parseNote(note);
  const answer = parseSignatureLines(lines);
  if (!parsed.ok) return parsed;
  if (!answer.ok) return answer;
  const { text } = parsed.value;
  const valid = answer.value.filter((line) =>
    witnesses.some((key) => verifyCosignature(text, line, key) !== undefined),
  );
  const added = new Map(valid.map((line) => [lineKey(line), line]));
  const signatures = [
    ...parsed.value.signatures.filter((line) => !added.has(lineKey(line))),
    ...added.values(),
  ];
  if (signatures.length > MAX_NOTE_SIGNATURES) return err('too-many-signatures');
  return ok(formatNote({ text, signatures }));
}

function cosignedMessage(text: string, timeSeconds: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${timeSeconds}\n${text}`);
}

function statedTime(signature: Uint8Array): number | undefined {
  if (signature.length !== COSIGNATURE_BYTES) return undefined;
  try {
    return new CanonicalReader(signature).u64();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function lineKey({ name, keyId }: NoteSignature): string {
  return `${name} ${keyId}`;
}
