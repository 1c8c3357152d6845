import { AppError, fromHex, toHex } from '../../shared/index.ts';
import type { PatientConnection } from '../connect.ts';

/** The patient whose consents are changed: the holder of the wallet, or one who named them a delegate. */
export interface Represented {
  patientId: string;
  /** The pseudonym. */
  accountId: Uint8Array;
  /** What `--for` said; undefined for one's own. */
  onBehalfOf?: string;
}

const NAME = /^Patient\/([A-Za-z0-9\-.]{1,64})@([0-9a-f]{64})$/;

/** What a patient gives to a delegate: the record, whose name the ledger does not have, and the pseudonym on the ledger. */
export function representedName(patientId: string, accountId: Uint8Array): string {
  return `Patient/${patientId}@${toHex(accountId)}`;
}

/** Of whom `--for` speaks; without it the holder of the wallet. */
export function representedOf(
  name: string | undefined,
  { enrolment, identity }: Pick<PatientConnection, 'enrolment' | 'identity'>,
): Represented {
  if (name === undefined) return { patientId: enrolment.patientId, accountId: identity.accountId };
  const [, patientId, account] = NAME.exec(name) ?? [];
  const accountId = fromHex(account ?? '');
  if (patientId !== undefined && accountId?.length === 32) return { patientId, accountId, onBehalfOf: name };
  throw new AppError('usage', '--for is what `consent delegate` told the patient: Patient/<id>@<pseudonym>.');
}
