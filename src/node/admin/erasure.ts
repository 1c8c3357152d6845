import { AppError, toBase64, toHex } from '../../shared/index.ts';
import type { EraseTarget, ErasureRecord } from '../../vault/index.ts';
import { recordErasures } from '../anchoring/record-erasures.ts';
import type { PartsOfNode } from '../runtime.ts';

const REFERENCE = /^([A-Z][A-Za-z]{1,63})\/([A-Za-z0-9\-.]{1,64})$/;

/** Splits `Type/id`. */
export function parseReference(text: string): { resourceType: string; id: string } {
  const [, resourceType, id] = REFERENCE.exec(text) ?? [];
  if (resourceType !== undefined && id !== undefined) return { resourceType, id };
  throw new AppError('invalid-request', 'Name a record as Type/id, for example Patient/ana.');
}

type Recording = PartsOfNode<'engine' | 'vault' | 'custodian'>;

/** Erases a record, or a patient with everything about them, and puts the erasure on the ledger. */
export async function eraseAndRecord(
  reference: string,
  node: Recording & PartsOfNode<'consents' | 'sessions'>,
): Promise<Record<string, unknown>> {
  const { resourceType, id } = parseReference(reference);
  const isPatient = resourceType === 'Patient';
  const target = isPatient ? { subject: id } : { resourceType, id };
  // Also where it failed: that it took effect may be all that was not told.
  const record = await eraseHere(target, node).finally(() => {
    if (isPatient) forgetPatient(id, node);
  });
  const heights = await recordErasures(node).catch(sayItIsErased);
  const height = heights.get(toHex(record.erasureRoot));
  return { ...toJson(record), ...(height !== undefined && { height }) };
}

/** Another patient may get the same id: whom the erased one let in, and the wallet itself, must not read of that one. */
function forgetPatient(id: string, { consents, sessions }: PartsOfNode<'consents' | 'sessions'>): void {
  consents.forget(id);
  sessions.end(({ patientId }) => patientId === id);
}

/** What is erased already may be so since an erasure that did not reach the ledger. */
async function eraseHere(target: EraseTarget, node: Recording): Promise<ErasureRecord> {
  try {
    return await node.vault.erase(target);
  } catch (error) {
    if (error instanceof AppError && error.code === 'not-found') await recordErasures(node);
    throw error;
  }
}

function sayItIsErased(error: unknown): never {
  if (!(error instanceof AppError)) throw error;
  throw new AppError(
    error.code,
    `It is erased here, and the ledger does not have the erasure yet; the next erasure or start puts it there. ${error.message}`,
    { cause: error },
  );
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
