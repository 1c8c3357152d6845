import type { Enrolment, NodeClient, PatientKey, Wallet, WalletConsent } from '../../client/index.ts';
import { decodeConsent, type LedgerConsent } from '../../contracts/index.ts';
import { AppError, fromHex } from '../../shared/index.ts';
import { connect, connectPatient } from '../connect.ts';

/** A consent that is to be changed: of this wallet, or named by its whole id alone. */
export interface ChosenConsent {
  consentId: string;
  /** What the wallet keeps of it, where it signed it. */
  known?: WalletConsent;
}

const WHOLE_ID = /^[0-9a-f]{64}$/;
/** A node that is not there, or of a custodian where the wallet is not enrolled. */
const NO_DOOR: readonly string[] = ['node-unreachable', 'not-found'];

/** The consent of a whole id, or of the first characters of one that this wallet signed and nobody revoked. */
export function consentNamed(consents: readonly WalletConsent[], text: string): ChosenConsent {
  const matching = consents.filter(
    ({ consentId, status }) => status !== 'revoked' && consentId.startsWith(text),
  );
  const [known] = matching;
  if (matching.length === 1 && known !== undefined) return { consentId: known.consentId, known };
  // A delegate changes what the patient's wallet signed, and the patient what a delegate's did.
  if (WHOLE_ID.test(text)) return { consentId: text };
  throw new AppError(
    'not-found',
    matching.length === 0
      ? 'This wallet has no active consent of that id. Give the whole id of one that another wallet signed.'
      : 'Several consents begin so. Give more of the id.',
  );
}

/** The consent as the ledger has it now, proven: another wallet may have changed it since this one did. */
export async function consentOnLedger(
  { consentId, known }: ChosenConsent,
  client: NodeClient,
  wallet: Wallet,
): Promise<LedgerConsent | undefined> {
  const value = await client.stateValue({ table: 'consent', ids: [fromHex(consentId) as Uint8Array] });
  const consent = value && decodeConsent(value);
  if (consent?.status === 'revoked' && known !== undefined)
    await wallet.saveConsent({ ...known, version: consent.version, status: 'revoked' });
  return consent;
}

/** The consent if it can be changed. */
export function requireActive(consent: LedgerConsent | undefined): LedgerConsent {
  if (consent?.status === 'active') return consent;
  if (consent === undefined) throw new AppError('not-found', 'There is no such consent on the ledger.');
  throw new AppError('conflict', 'The consent is revoked already.');
}

/** Where a change is sent, and by whom it is signed. */
export interface Door {
  client: NodeClient;
  identity: PatientKey;
  enrolment: Enrolment;
}

/** The custodian's own node; or with --via another of the consortium, so that no custodian can hold back what ends a right. */
export async function doorFor(
  custodian: string | undefined,
  wallet: Wallet,
  { node, via }: { node: string; via?: string },
): Promise<Door> {
  if (via === undefined) return ownDoor(custodian, wallet, node);
  const [enrolment, another] = wallet.enrolments.filter(
    (each) => custodian === undefined || each.custodian === custodian,
  );
  if (enrolment === undefined || another !== undefined)
    throw new AppError('not-found', 'This wallet is not enrolled at one custodian that it could be of.');
  return {
    client: connect(via, fromHex(enrolment.chainId) as Uint8Array),
    identity: wallet.keyAt(fromHex(enrolment.custodian) as Uint8Array),
    enrolment,
  };
}

/** The node that was named, unless it is another custodian's or is not there: then where the wallet enrolled. */
async function ownDoor(custodian: string | undefined, wallet: Wallet, node: string): Promise<Door> {
  const enrolment = wallet.enrolments.find((each) => each.custodian === custodian);
  if (enrolment === undefined || enrolment.baseUrl === node) return connectPatient(node, wallet);
  const named = await connectPatient(node, wallet).catch((error: unknown) => {
    if (error instanceof AppError && NO_DOOR.includes(error.code)) return undefined;
    throw error;
  });
  if (named !== undefined && named.enrolment.custodian === custodian) return named;
  return connectPatient(enrolment.baseUrl, wallet);
}

/** The custodian's own node has ended its reads before it acknowledges; after another's acknowledgement it has to hear of the block. */
export function whenItCounts(via: string | undefined, ended: string): string {
  return via === undefined
    ? `no read that starts now succeeds under ${ended}`
    : "the custodian's node follows within ten seconds, or reads nothing";
}
