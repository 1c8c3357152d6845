import { accountIdOf } from '../../identity/index.ts';
import {
  type Account,
  readAccount,
  type StateWriter,
  scheduleVersion,
  writeAccount,
} from '../../ledger/index.ts';
import { equalBytes } from '../../shared/index.ts';
import { createParty, readParty, writeParty } from '../registry/party.ts';
import type { Registration } from '../registry/registration.ts';
import type { Change } from './change.ts';
import { readMembers, writeMembers } from './members.ts';
import { closeProposal, openProposalsOf, type Proposal, readProposal } from './proposal.ts';
import { changedValidators } from './validator-rules.ts';
import { readValidators, writeValidators } from './validators.ts';

/** Makes a change that `checkEffect` found possible. */
export function applyChange(state: StateWriter, height: number, change: Change): void {
  switch (change.kind) {
    case 'admit-organisation':
      admitOrganisation(state, height, change.registration);
      return;
    case 'remove-organisation':
      removeOrganisation(state, height, change.organisation);
      return;
    case 'set-validators':
      writeValidators(state, changedValidators(readValidators(state), change.validators));
      return;
    case 'activate-version':
      scheduleVersion(state, height, change);
  }
}

/** One that was there before keeps its account, with the key and the sequence number that it has now. */
function admitOrganisation(state: StateWriter, height: number, { publicKey, roles }: Registration): void {
  const accountId = accountIdOf(publicKey);
  const account = readAccount(state, accountId);
  const party = readParty(state, accountId);
  if (account === undefined || party === undefined) {
    const registered = {
      kind: 'organisation',
      organisation: accountId,
      roles,
      registeredHeight: height,
    } as const;
    createParty(state, accountId, publicKey, registered);
  } else {
    writeParty(state, accountId, { ...party, roles });
    writeAccount(state, accountId, { ...account, isSuspended: false });
  }
  writeMembers(state, [...readMembers(state), accountId]);
}

/** It signs nothing from now on, decides no blocks, and what it proposed is withdrawn. */
function removeOrganisation(state: StateWriter, height: number, organisation: Uint8Array): void {
  const account = readAccount(state, organisation) as Account;
  writeAccount(state, organisation, { ...account, isSuspended: true });
  for (const id of openProposalsOf(state, organisation, height))
    closeProposal(state, id, readProposal(state, id) as Proposal, 'withdrawn', height);
  const isOther = (id: Uint8Array): boolean => !equalBytes(id, organisation);
  const [members, validators] = [readMembers(state), readValidators(state)];
  writeMembers(state, members.filter(isOther));
  if (validators.some((one) => !isOther(one.organisation)))
    writeValidators(
      state,
      validators.filter((one) => isOther(one.organisation)),
    );
}
