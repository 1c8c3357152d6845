import { signRevocation, type Wallet } from '../../client/index.ts';
import { AppError, fromHex } from '../../shared/index.ts';
import { readWallet } from '../connect.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import type { Terminal } from '../terminal.ts';
import {
  type ChosenConsent,
  consentNamed,
  consentOnLedger,
  doorFor,
  requireActive,
  whenItCounts,
} from './chosen-consent.ts';
import { receiptNote } from './consent-receipts.ts';

export interface RevokeOptions {
  wallet: string;
  node: string;
  via?: string;
  all?: boolean;
  receipt?: string;
}

/** Takes back one consent, or all. */
export async function revoke(
  text: string | undefined,
  options: RevokeOptions,
  terminal: Terminal,
): Promise<void> {
  refuseExisting(options.receipt);
  const wallet = await readWallet(options.wallet);
  const revoked: string[] = [];
  const failures: { consentId: string; error: AppError }[] = [];
  let receipt: string | undefined;
  for (const chosen of chooseConsents(wallet, text, options.all === true)) {
    const { consentId } = chosen;
    const ended = await revokeOne(chosen, wallet, options, terminal).catch((error: unknown) => {
      // One that cannot be revoked keeps no other in force.
      if (options.all !== true || !(error instanceof AppError)) throw error;
      terminal.warn(`${consentId.slice(0, 16)} was not revoked: ${error.message}`);
      failures.push({ consentId, error });
    });
    if (ended === undefined) continue;
    revoked.push(consentId);
    receipt = ended;
  }
  if (options.receipt !== undefined && receipt !== undefined) writeNew(options.receipt, receipt);
  terminal.answer(
    { revoked, failed: failures.map(({ consentId }) => consentId) },
    `Revoked ${revoked.length} consent${revoked.length === 1 ? '' : 's'}: ${whenItCounts(options.via, 'it')}.${receiptNote(options.receipt)}`,
  );
  if (failures[0] !== undefined)
    throw new AppError(
      failures[0].error.code,
      `${failures.length} could not be revoked, and may be in force still. Say it again.`,
    );
}

/** The receipt; undefined where all are to end and this one is not in force: it must not keep the others from it. */
async function revokeOne(
  chosen: ChosenConsent,
  wallet: Wallet,
  options: RevokeOptions,
  terminal: Terminal,
): Promise<string | undefined> {
  const { consentId, known } = chosen;
  const { client, identity } = await doorFor(known?.custodian, wallet, options);
  const found = await consentOnLedger(chosen, client, wallet);
  if (options.all === true && found?.status !== 'active') {
    terminal.warn(
      `${consentId.slice(0, 16)} ${found === undefined ? 'is not on the ledger' : 'was revoked before'}.`,
    );
    return undefined;
  }
  const { version } = requireActive(found);
  const change = { consentId: fromHex(consentId) as Uint8Array, expectedVersion: version };
  const signed = signRevocation(change, await client.signingPlace(identity.accountId), identity);
  const proven = await (options.via === undefined
    ? client.submitConsent(signed)
    : client.submit(signed.transaction));
  if (known !== undefined) await wallet.saveConsent({ ...known, version: version + 1, status: 'revoked' });
  return proven.receipt;
}

/** All of one's own: who is a delegate does not end by the way what they signed for somebody else. */
function chooseConsents({ consents }: Wallet, text: string | undefined, all: boolean): ChosenConsent[] {
  if (!all && text === undefined)
    throw new AppError('usage', 'Name the consent (careledger consent list), or say --all.');
  if (!all) return [consentNamed(consents, text as string)];
  return consents
    .filter(({ status, onBehalfOf }) => status !== 'revoked' && onBehalfOf === undefined)
    .map((known) => ({ consentId: known.consentId, known }));
}
