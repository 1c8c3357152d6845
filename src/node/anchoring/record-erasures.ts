import { encodeRecordErasure, erasureKey, NO_PATIENT } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import type { ErasedVersions, Vault } from '../../vault/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import type { AccountSigner } from '../ledger/account-signer.ts';

interface Deps {
  engine: Pick<Engine, 'state'>;
  vault: Pick<Vault, 'erased'>;
  custodian: Pick<AccountSigner, 'accountId' | 'submit'>;
}

/**
 * Puts on the ledger what the vault has erased and the ledger has not heard of: of an erasure now, and of those that a crash
 * or a missing majority cut short. Gives the heights by root, of those that were recorded by this call.
 */
export async function recordErasures({
  engine,
  vault,
  custodian,
}: Deps): Promise<ReadonlyMap<string, number>> {
  const heights = new Map<string, number>();
  for (const erased of await vault.erased()) {
    const key = erasureKey(custodian.accountId, erased.erasureRoot);
    const isRecorded = (): boolean => engine.state.get(key) !== undefined;
    if (isRecorded()) continue;
    const height = await recordUnless(isRecorded, erased, custodian);
    if (height !== undefined) heights.set(toHex(erased.erasureRoot), height);
  }
  return heights;
}

/** Another erasure may have recorded this one while it waited for its turn, and the ledger would record it again. */
async function recordUnless(
  isRecorded: () => boolean,
  erased: ErasedVersions,
  custodian: Deps['custodian'],
): Promise<number | undefined> {
  const refuseRecorded = async (): Promise<void> => {
    if (isRecorded()) throw new AppError('conflict', 'The erasure is on the ledger already.');
  };
  try {
    const payload = encodeRecordErasure(payloadOf(erased));
    return (await custodian.submit('record-erasure', [payload], refuseRecorded)).height;
  } catch (cause) {
    if (isRecorded()) return undefined;
    throw cause;
  }
}

function payloadOf({ pseudonym, commitments, erasureRoot }: ErasedVersions) {
  return {
    pseudonym: pseudonym === null ? NO_PATIENT : bytesOfHex(pseudonym),
    count: commitments.length,
    erasureRoot,
  };
}
