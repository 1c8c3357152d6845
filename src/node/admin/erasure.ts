import { encodeRecordErasure, NO_PATIENT } from '../../contracts/index.ts';
import { AppError, toBase64, toHex } from '../../shared/index.ts';
import type { EraseTarget, ErasureRecord, Vault } from '../../vault/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import type { ConsentView } from '../consents/consent-view.ts';
import type { AccountSigner } from '../ledger/account-signer.ts';

const REFERENCE = /^([A-Z][A-Za-z]{1,63})\/([A-Za-z0-9\-.]{1,64})$/;

/** Splits `Type/id`. */
export function parseReference(text: string): { resourceType: string; id: string } {
  const [, resourceType, id] = REFERENCE.exec(text) ?? [];
  if (resourceType !== undefined && id !== undefined) return { resourceType, id };
  throw new AppError('invalid-request', 'Name a record as Type/id, for example Patient/ana.');
}

/** Erases a record, or a patient with everything about them, and puts the erasure on the ledger. */
export async function eraseAndRecord(
  reference: string,
  deps: { vault: Vault; custodian: AccountSigner; consents: ConsentView },
): Promise<Record<string, unknown>> {
  const { resourceType, id } = parseReference(reference);
  const isPatient = resourceType === 'Patient';
  const pseudonym = isPatient ? (await deps.vault.bindings.byPatient(id))?.accountId : undefined;
  const target: EraseTarget = isPatient ? { subject: id } : { resourceType, id };
  const record = await deps.vault.erase(target);
  if (isPatient) deps.consents.forget(id);
  const height = await recordOnLedger(record, pseudonym, deps.custodian);
  return { ...toJson(record), ...(height !== undefined && { height }) };
}

async function recordOnLedger(
  record: ErasureRecord,
  pseudonym: string | undefined,
  custodian: AccountSigner,
): Promise<number | undefined> {
  if (record.commitments.length === 0) return undefined;
  const payload = {
    pseudonym: pseudonym === undefined ? NO_PATIENT : bytesOfHex(pseudonym),
    count: record.commitments.length,
    erasureRoot: record.erasureRoot,
  };
  return (await custodian.submit('record-erasure', [encodeRecordErasure(payload)])).height;
}

function toJson(record: ErasureRecord): Record<string, unknown> {
  return {
    ...record,
    commitments: record.commitments.map(toHex),
    erasureRoot: toHex(record.erasureRoot),
    publicKey: toHex(record.publicKey),
    signature: toBase64(record.signature),
  };
}
