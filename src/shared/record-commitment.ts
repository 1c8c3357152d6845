import { utf8 } from './bytes.ts';
import { sha256, sha256Concat } from './sha256.ts';

const DOMAIN = utf8('careledger/record-commitment/v1\0');

/** One version of a record. */
export type CommittedVersion = {
  readonly resourceType: string;
  readonly id: string;
  readonly version: number;
};

/**
 * What the ledger sees of a record version: sha256(domain ‖ salt ‖ binding ‖ sha256(plaintext)); the binding is subject,
 * type and id, each after its length as u16, and the version as u32. Without the 32-byte salt it tells nothing.
 */
export function recordCommitment(
  salt: Uint8Array,
  key: CommittedVersion,
  subject: string | null,
  plaintext: Uint8Array,
): Uint8Array {
  return sha256Concat(DOMAIN, salt, bindingOf(key, subject), sha256(plaintext));
}

function bindingOf(key: CommittedVersion, subject: string | null): Uint8Array {
  const texts = [subject ?? '', key.resourceType, key.id].map(utf8);
  const bytes = new Uint8Array(texts.reduce((sum, text) => sum + 2 + text.length, 4));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const text of texts) {
    view.setUint16(at, text.length);
    bytes.set(text, at + 2);
    at += 2 + text.length;
  }
  view.setUint32(at, key.version);
  return bytes;
}
