import type { ContractTable, SealedAction } from '../ledger/index.ts';
import { anchorAccessLog } from './access/anchor-access-log.ts';
import { restartAccessLog } from './access/restart-access-log.ts';
import { appointDelegate } from './consent/appoint-delegate.ts';
import { dismissDelegate } from './consent/dismiss-delegate.ts';
import { grantConsent } from './consent/grant-consent.ts';
import { replaceConsent } from './consent/replace-consent.ts';
import { revokeConsent } from './consent/revoke-consent.ts';
import { recordErasure } from './erasure/record-erasure.ts';
import { openProposal } from './governance/open-proposal.ts';
import { voteOnProposal } from './governance/vote-on-proposal.ts';
import { withdrawProposal } from './governance/withdraw-proposal.ts';
import { commitVersions } from './records/commit-versions.ts';
import { enrolPatient } from './registry/enrol-patient.ts';
import { actsForSuspended } from './registry/party.ts';
import { registerDevice } from './registry/register-device.ts';
import { registerOrganisation } from './registry/register-organisation.ts';
import { registerPractitioner } from './registry/register-practitioner.ts';
import { reinstateParty } from './registry/reinstate-party.ts';
import { rotateKey } from './registry/rotate-key.ts';
import { suspendParty } from './registry/suspend-party.ts';

/** Every transaction type there is, by the name its file has. */
export const ACTIONS = {
  'register-organisation': registerOrganisation,
  'register-practitioner': registerPractitioner,
  'register-device': registerDevice,
  'enrol-patient': enrolPatient,
  'rotate-key': rotateKey,
  'suspend-party': suspendParty,
  'reinstate-party': reinstateParty,
  'grant-consent': grantConsent,
  'replace-consent': replaceConsent,
  'revoke-consent': revokeConsent,
  'appoint-delegate': appointDelegate,
  'dismiss-delegate': dismissDelegate,
  'commit-versions': commitVersions,
  'anchor-access-log': anchorAccessLog,
  'restart-access-log': restartAccessLog,
  'record-erasure': recordErasure,
  'open-proposal': openProposal,
  'vote-on-proposal': voteOnProposal,
  'withdraw-proposal': withdrawProposal,
} as const satisfies Record<string, SealedAction>;

export type ActionName = keyof typeof ACTIONS;

const BY_NUMBER = new Map(
  Object.values(ACTIONS).map((action) => [numberOf(action.contract, action.action), action]),
);

/** The newest rules in this file's tables. A change of rules raises it, and the members of a ledger say when it begins. */
const NEWEST_VERSION = 1;

export const CONTRACTS: ContractTable = {
  newestVersion: NEWEST_VERSION,
  find: (contract, action) => BY_NUMBER.get(numberOf(contract, action)),
  actsForSuspended,
};

/** The name of a transaction's type, or undefined where this software knows none. */
export function actionName(contract: number, action: number): ActionName | undefined {
  return BY_NUMBER.get(numberOf(contract, action))?.name as ActionName | undefined;
}

function numberOf(contract: number, action: number): number {
  return contract * 256 + action;
}
