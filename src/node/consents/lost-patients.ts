import type { StateReader } from '../../ledger/index.ts';
import { AppError } from '../../shared/index.ts';
import type { Vault } from '../../vault/index.ts';
import { readLedgerConsent } from './ledger-consent.ts';

/**
 * Throws AppError `damaged` when the ledger has an active consent of a pseudonym whose patient the vault has lost: the patient
 * would be taken for one who has said nothing, and what the consent denies would be read.
 */
export async function refuseLostPatients(
  state: StateReader,
  { grantedConsents, pseudonyms }: Pick<Vault, 'grantedConsents' | 'pseudonyms'>,
): Promise<void> {
  for await (const { account, consentIds } of grantedConsents.list()) {
    if (!consentIds.some((id) => readLedgerConsent(state, id)?.status === 'active')) continue;
    if ((await pseudonyms.stateOf(account)) !== 'lost') continue;
    throw new AppError(
      'damaged',
      'The vault has lost which patient a consent on the ledger is of. Nothing was served. Run the audit, and restore the last backup to a new folder.',
    );
  }
}
