import { AppError, type SealedCopy } from '../../shared/index.ts';
import { sealedKeyOf } from '../grants/grant-rows.ts';
import type { VaultContext } from '../vault-context.ts';
import { damagedRecord, type RecordMeta, type RowPlace } from './record-row.ts';

/** All that the patient's wallet needs to open a `sealed` version elsewhere; nothing of it is opened here. */
export async function sealedCopyOf(
  context: VaultContext,
  place: RowPlace,
  meta: RecordMeta,
  keyId: number,
  stored: { readonly wrapped: Uint8Array; readonly content: Uint8Array },
): Promise<SealedCopy> {
  const { subject, id, epoch, commitment } = meta;
  if (meta.category !== 'sealed' || subject === null)
    throw new AppError('invalid-request', 'Only a sealed record has a sealed copy. Read this one as any.');
  const { reader } = context.store;
  const { subject: subjectName } = await context.keys.byId(reader, keyId);
  const key = await sealedKeyOf(context, reader, subject, keyId);
  if (key === undefined) throw damagedRecord(place, 'the key that was sealed to its patient is not there');
  return {
    resourceType: place.resourceType,
    id,
    version: place.version,
    subject,
    commitment,
    epoch,
    keyId,
    recordName: place.rkey,
    subjectName,
    grantee: key.grantee,
    encapsulated: key.encapsulated,
    sealedKey: key.ciphertext,
    ...stored,
  };
}
