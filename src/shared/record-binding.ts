import { toHex } from './bytes.ts';

/** What the content of a record's version is bound to: the associated data of its ciphertext. */
export function contentBinding(content: {
  readonly subject: string | null;
  readonly resourceType: string;
  readonly id: string;
  readonly version: number;
  readonly category: string;
  readonly epoch: number;
}): string {
  const { subject, resourceType, id, version, category, epoch } = content;
  const bound = JSON.stringify([subject, resourceType, id, version, category, epoch]);
  return `careledger/record-content/v1\0${bound}`;
}

/** Where a box of a record stands, and under which key. The names are keyed hashes of the custodian. */
export type BoxPlace = {
  readonly recordName: Uint8Array;
  readonly version: number;
  readonly resourceType: string;
  readonly subjectName: Uint8Array;
  readonly category: string;
  readonly epoch: number;
  readonly keyId: number;
};

/** What the data key of a version is bound to. */
export function dataKeyBinding(place: BoxPlace): string {
  return bindingOf('careledger/record-data-key/v1', place);
}

/** What the metadata of a version is bound to. */
export function metaBinding(place: BoxPlace): string {
  return bindingOf('careledger/record-meta/v1', place);
}

function bindingOf(domain: string, place: BoxPlace): string {
  const { recordName, version, resourceType, subjectName, category, epoch, keyId } = place;
  return `${domain}\0${toHex(recordName)}\0${version}\0${resourceType}\0${toHex(subjectName)}\0${category}\0${epoch}\0${keyId}`;
}

/** What a category key that is sealed to somebody is good for: the `info` of its HPKE (RFC 9180). */
export function sealedKeyBinding(key: {
  readonly subject: string;
  readonly category: string;
  readonly epoch: number;
  readonly grantee: string;
}): string {
  const { subject, category, epoch, grantee } = key;
  return `careledger/sealed-key/v1\0${JSON.stringify([subject, category, epoch, grantee])}`;
}
