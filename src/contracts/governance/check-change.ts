import { accountIdOf, parsePublicKey, verifySignature } from '../../identity/index.ts';
import {
  type ActionContext,
  RESULT_CODES,
  type ResultCode,
  type StateReader,
  versionAt,
} from '../../ledger/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';
import { isActiveOrganisation, readParty } from '../registry/party.ts';
import { possessionMessage, type Registration } from '../registry/registration.ts';
import type { Change } from './change.ts';
import { isAmong, MAX_MEMBERS, readMembers } from './members.ts';
import { changedValidators, checkValidators } from './validator-rules.ts';
import { readValidators, type Validator } from './validators.ts';

/** How many blocks lie at least between the decision for a version and its first block. */
export const MIN_ACTIVATION_BLOCKS = 50;

/** What can be said of a change for good when it is proposed: its keys, and the proof that a new one is held. */
export function checkContent(context: ActionContext, change: Change): ResultCode {
  if (change.kind === 'admit-organisation') return checkNewKey(context, change.registration);
  if (change.kind !== 'set-validators') return RESULT_CODES.ok;
  const areKeys = change.validators.every(({ consensusKey }) => parsePublicKey(consensusKey).ok);
  return areKeys ? RESULT_CODES.ok : RESULT_CODES['bad-key'];
}

/** Whether a change may be made at this height; asked when it is proposed, and again when it is carried. */
export function checkEffect(state: StateReader, height: number, change: Change): ResultCode {
  switch (change.kind) {
    case 'admit-organisation':
      return checkAdmission(state, change.registration);
    case 'remove-organisation':
      return checkRemoval(state, change.organisation);
    case 'set-validators':
      return checkValidatorChange(state, change.validators);
    case 'activate-version':
      if (change.version <= versionAt(state, height)) return RESULT_CODES['version-not-ahead'];
      return change.height < height + MIN_ACTIVATION_BLOCKS
        ? RESULT_CODES['activation-too-soon']
        : RESULT_CODES.ok;
  }
}

function checkNewKey(
  { chainId, signer }: ActionContext,
  { publicKey, possessionProof }: Registration,
): ResultCode {
  const key = parsePublicKey(publicKey);
  if (!key.ok) return RESULT_CODES['bad-key'];
  return verifySignature(key.value, possessionMessage(chainId, signer, key.value), possessionProof)
    ? RESULT_CODES.ok
    : RESULT_CODES['bad-possession-proof'];
}

/** An organisation that was removed, or that was registered before there were votes, can be admitted; a person or device cannot. */
function checkAdmission(state: StateReader, { publicKey }: Registration): ResultCode {
  const accountId = accountIdOf(publicKey);
  const members = readMembers(state);
  if (isAmong(members, accountId)) return RESULT_CODES['already-a-member'];
  if (members.length >= MAX_MEMBERS) return RESULT_CODES['too-many-members'];
  const party = readParty(state, accountId);
  return party === undefined || party.kind === 'organisation'
    ? RESULT_CODES.ok
    : RESULT_CODES['party-exists'];
}

function checkRemoval(state: StateReader, organisation: Uint8Array): ResultCode {
  if (!isActiveOrganisation(state, organisation)) return RESULT_CODES['unknown-organisation'];
  const others = readMembers(state).filter((member) => !equalBytes(member, organisation));
  if (others.length === 0) return RESULT_CODES['last-member'];
  const before = readValidators(state);
  const after = before.filter((one) => !equalBytes(one.organisation, organisation));
  return after.length === before.length ? RESULT_CODES.ok : checkValidators(before, after);
}

function checkValidatorChange(state: StateReader, changes: readonly Validator[]): ResultCode {
  const before = readValidators(state);
  if (before.length === 0) return RESULT_CODES['no-validators'];
  const known = new Set(before.map(({ consensusKey }) => toHex(consensusKey)));
  if (changes.some(({ power, consensusKey }) => power === 0 && !known.has(toHex(consensusKey))))
    return RESULT_CODES['unknown-validator'];
  const members = readMembers(state);
  const isHeld = ({ power, organisation }: Validator): boolean =>
    power === 0 || isAmong(members, organisation);
  if (!changes.every(isHeld)) return RESULT_CODES['unknown-organisation'];
  return checkValidators(before, changedValidators(before, changes));
}
