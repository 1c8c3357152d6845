import type { PublicKey } from '../../identity/index.ts';
import type { Genesis, ResultName } from '../../ledger/index.ts';
import { compareBytes } from '../../shared/index.ts';
import type { Change } from '../governance/change.ts';
import { encodeOpenProposal, proposalIdOf } from '../governance/proposal.ts';
import { readValidators, type Validator } from '../governance/validators.ts';
import { encodeVoteOnProposal } from '../governance/vote-on-proposal.ts';
import { encodeWithdrawProposal } from '../governance/withdraw-proposal.ts';
import { isActiveOrganisation } from '../registry/party.ts';
import { provePossession } from '../registry/registration.ts';
import { type Actor, actor, TestChain } from './test-chain.ts';

const POWER = 10;

/** A chain of several organisations, each with one validator unless said otherwise. */
export class Consortium {
  readonly orgs: readonly Actor[];
  readonly chain: TestChain;

  constructor(
    size: number,
    validatorsOf: readonly number[] = Array.from({ length: size }, (_, index) => index),
  ) {
    this.orgs = Array.from({ length: size }, (_, index) => actor(20 + index));
    const change: Partial<Genesis> = {
      organisationKeys: this.orgs.map(({ publicKey }) => publicKey as PublicKey),
      validators: validatorsOf.map((organisation, index) => ({
        consensusKey: consensusKey(index),
        organisation,
        power: POWER,
      })),
    };
    this.chain = new TestChain(change);
  }

  propose(by: Actor, change: Change, lastHeight = this.chain.height + 50): ResultName | undefined {
    return this.chain.run(by, 'open-proposal', encodeOpenProposal({ lastHeight, change }));
  }

  vote(by: Actor, proposalId: Uint8Array, isYes = true): ResultName | undefined {
    return this.chain.run(by, 'vote-on-proposal', encodeVoteOnProposal({ proposalId, isYes }));
  }

  /** Opened by the first of them and carried by as many as are needed. */
  decide(change: Change): ResultName | undefined {
    const lastHeight = this.chain.height + 50;
    const members = this.orgs.filter(({ id }) => isActiveOrganisation(this.chain.state, id));
    const opened = this.propose(members[0] as Actor, change, lastHeight);
    if (opened !== 'ok') return opened;
    const needed = Math.floor((2 * members.length) / 3);
    for (const by of members.slice(1, 1 + needed)) {
      const voted = this.vote(by, proposalIdOf((members[0] as Actor).id, { lastHeight, change }));
      if (voted !== 'ok') return voted;
    }
    return 'ok';
  }

  withdraw(by: Actor, proposalId: Uint8Array): ResultName | undefined {
    return this.chain.run(by, 'withdraw-proposal', encodeWithdrawProposal({ proposalId }));
  }

  admission(by: Actor, who: Actor): Change {
    const possessionProof = provePossession(this.chain.chainId, by.id, who.publicKey, who.seed);
    return {
      kind: 'admit-organisation',
      registration: { publicKey: who.publicKey, possessionProof, roles: ['hospital'] },
    };
  }

  org(index: number): Actor {
    return this.orgs[index] as Actor;
  }

  validator(index: number, power: number, organisation = this.org(index)): Validator {
    return { consensusKey: consensusKey(index), organisation: organisation.id, power };
  }

  powers(): number[] {
    return readValidators(this.chain.state).map(({ power }) => power);
  }
}

export function consensusKey(index: number): Uint8Array {
  return actor(120 + index).publicKey;
}

export function validators(...changes: Validator[]): Change {
  return {
    kind: 'set-validators',
    validators: changes.sort((left, right) => compareBytes(left.consensusKey, right.consensusKey)),
  };
}

export const removal = ({ id }: Actor): Change => ({ kind: 'remove-organisation', organisation: id });
