import { type PublicKey, parsePublicKey } from '../../identity/index.ts';
import { concatBytes, fromBase64, sha256, toBase64, utf8 } from '../../shared/index.ts';
import { isKeyName } from './note.ts';

/** What a key signs: a log its checkpoints (0x01), or a witness its timestamped cosignatures (0x04). */
export type VerifierKeyKind = 'log' | 'witness';
export type VerifierKey = {
  readonly name: string;
  readonly kind: VerifierKeyKind;
  readonly publicKey: PublicKey;
};

/** c2sp.org/signed-note, "Signature types". */
const TYPE_BYTES: Record<VerifierKeyKind, number> = { log: 0x01, witness: 0x04 };
const KEY_BYTES = 32;

/** The first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key), big-endian. */
export function noteKeyId(key: VerifierKey): number {
  const hash = sha256(concatBytes(utf8(`${key.name}\n`), Uint8Array.of(TYPE_BYTES[key.kind]), key.publicKey));
  return new DataView(hash.buffer, hash.byteOffset).getUint32(0);
}

/** `<name>+<key id in hex>+<base64 of type and key>` (c2sp.org/signed-note, "Verifier keys"). */
export function formatVerifierKey(key: VerifierKey): string {
  const material = concatBytes(Uint8Array.of(TYPE_BYTES[key.kind]), key.publicKey);
  return `${key.name}+${keyIdText(noteKeyId(key))}+${toBase64(material)}`;
}

/** The key of a vkey text, or undefined: the id must be the key's own, and the key one of prime order. */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  // Base64 may hold a plus, a name may not, so only the first two separate.
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{1,88})$/u.exec(text);
  const [, name, id, encoded] = match ?? [];
  if (name === undefined || id === undefined || encoded === undefined || !isKeyName(name)) return undefined;
  const material = fromBase64(encoded);
  if (material?.length !== KEY_BYTES + 1) return undefined;
  const kind = kindOf(material[0] as number);
  const publicKey = parsePublicKey(material.slice(1));
  if (kind === undefined || !publicKey.ok) return undefined;
  const key = { name, kind, publicKey: publicKey.value };
  return keyIdText(noteKeyId(key)) === id ? key : undefined;
}

function kindOf(typeByte: number): VerifierKeyKind | undefined {
  if (typeByte === TYPE_BYTES.log) return 'log';
  return typeByte === TYPE_BYTES.witness ? 'witness' : undefined;
}

function keyIdText(keyId: number): string {
  return keyId.toString(16).padStart(8, '0');
}
