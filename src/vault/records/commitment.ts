import { concatBytes, sha256, sha256Concat, utf8 } from '../../shared/index.ts';
import type { RecordKey } from '../record.ts';

const DOMAIN = utf8('careledger/record-commitment/v1\0');

/**
 * What the ledger sees of a record version: sha256(domain ‖ salt ‖ binding ‖ sha256(plaintext)); the binding is subject,
 * type and id, each after its length as u16, and the version as u32. Without the 32-byte salt it tells nothing.
 */
export function recordCommitment(
  salt: Uint8Array,
  key: RecordKey,
  subject: string | null,
  plaintext: Uint8Array,
): Uint8Array {
  return sha256Concat(DOMAIN, salt, bindingOf(key, subject), sha256(plaintext));
}

function bindingOf(key: RecordKey, subject: string | null): Uint8Array {
  const texts = [subject ?? '', key.resourceType, key.id].map(utf8);
  const version = new Uint8Array(4);
  new DataView(version.buffer).setUint32(0, key.version);
  return concatBytes(
    ...texts.flatMap((text) => [Uint8Array.of(text.length >> 8, text.length & 0xff), text]),
    version,
  );
}
