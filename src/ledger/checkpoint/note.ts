import { err, fromBase64, ok, type Result, toBase64 } from '../../shared/index.ts';

/** Why a note or a checkpoint was refused. */
export type NoteError =
  | 'note-too-large'
  | 'note-malformed'
  | 'too-many-signatures'
  | 'checkpoint-malformed'
  | 'wrong-chain'
  | 'operator-signature-missing'
  | 'signature-invalid'
  | 'signature-repeated'
  | 'quorum-missing';

/** One signature line; `keyId` and `name` together name the key and its algorithm. */
export type NoteSignature = { readonly name: string; readonly keyId: number; readonly signature: Uint8Array };

/** `text` includes its last newline and is what is signed. */
export type SignedNote = { readonly text: string; readonly signatures: readonly NoteSignature[] };

export const MAX_NOTE_CHARACTERS = 65_536;
/** The specification asks for 16 at least (c2sp.org/signed-note, "Format"). */
export const MAX_NOTE_SIGNATURES = 64;
export const MAX_KEY_NAME_CHARACTERS = 255;
const KEY_ID_BYTES = 4;
const LINE_START = '\u2014 ';

/** c2sp.org/signed-note: UTF-8, no control character but newline, signatures after the last empty line. */
export function parseNote(note: string): Result<SignedNote, NoteError> {
  if (note.length > MAX_NOTE_CHARACTERS) return err('note-too-large');
  if (!note.isWellFormed() || hasControlCharacter(note)) return err('note-malformed');
  const end = note.lastIndexOf('\n\n');
  if (end < 1) return err('note-malformed');
  const signatures = parseSignatureLines(note.slice(end + 2));
  return signatures.ok ? ok({ text: note.slice(0, end + 1), signatures: signatures.value }) : signatures;
}

/** One or more signature lines, each with its newline, as a note ends with and as a witness answers. */
export function parseSignatureLines(lines: string): Result<NoteSignature[], NoteError> {
  if (!lines.endsWith('\n')) return err('note-malformed');
  const rows = lines.slice(0, -1).split('\n');
  if (rows.length > MAX_NOTE_SIGNATURES) return err('too-many-signatures');
  const signatures: NoteSignature[] = [];
  for (const row of rows) {
    const signature = parseSignatureLine(row);
    if (signature === undefined) return err('note-malformed');
    signatures.push(signature);
  }
  return ok(signatures);
}

export function formatNote(note: SignedNote): string {
  return `${note.text}\n${note.signatures.map(formatSignatureLine).join('')}`;
}

export function formatSignatureLine({ name, keyId, signature }: NoteSignature): string {
  const bytes = new Uint8Array(KEY_ID_BYTES + signature.length);
  new DataView(bytes.buffer).setUint32(0, keyId);
  bytes.set(signature, KEY_ID_BYTES);
  return `${LINE_START}${name} ${toBase64(bytes)}\n`;
}

/** c2sp.org/signed-note: not empty, no Unicode space, no plus. */
export function isKeyName(name: string): boolean {
  if (name.length === 0 || name.length > MAX_KEY_NAME_CHARACTERS || !name.isWellFormed()) return false;
  return !/[\p{White_Space}+]/u.test(name) && !hasControlCharacter(name);
}

function parseSignatureLine(row: string): NoteSignature | undefined {
  if (!row.startsWith(LINE_START)) return undefined;
  const fields = row.slice(LINE_START.length).split(' ');
  const [name, text] = fields;
  if (fields.length !== 2 || name === undefined || text === undefined || !isKeyName(name)) return undefined;
  const bytes = fromBase64(text);
  if (bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined;
  return { name, keyId: new DataView(bytes.buffer).getUint32(0), signature: bytes.slice(KEY_ID_BYTES) };
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 && code !== 0x0a) return true;
  }
  return false;
}
