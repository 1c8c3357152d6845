import { verifySignature } from '../../identity/index.ts';
import {
  type CommitSignature,
  type LightBlock,
  MAX_VALIDATORS,
  parseCommitAnswer,
  parseValidatorsAnswer,
  type Validator,
  validatorSetOf,
  voteSignBytes,
} from '../../ledger/index.ts';
import { AppError } from '../../shared/index.ts';
import type { LightSource } from './light-source.ts';

const PAGE = 100;

/** Asks `path` of a CometBFT and gives what is in `result`; undefined where it answers with an error of its own. */
export type AskRpc = (path: string) => Promise<unknown>;

/** The RPC of a CometBFT (`/commit`, `/validators`) as a source of blocks. */
export function rpcSource(name: string, ask: AskRpc): LightSource {
  return {
    name,
    async lightBlock(height) {
      const commitAnswer = await ask(height === 'newest' ? 'commit' : `commit?height=${height}`);
      if (commitAnswer === undefined) return undefined;
      const signed = parseCommitAnswer(commitAnswer);
      if (!signed.ok) throw unreadable(name);
      const validators = await allValidators(name, ask, signed.value.header.height);
      return validators === undefined ? undefined : withoutUnsound({ ...signed.value, validators });
    },
  };
}

async function allValidators(
  name: string,
  ask: AskRpc,
  height: number,
): Promise<readonly Validator[] | undefined> {
  const validators: Validator[] = [];
  for (let page = 1; ; page += 1) {
    const answer = await ask(`validators?height=${height}&page=${page}&per_page=${PAGE}`);
    if (answer === undefined) return undefined;
    const parsed = parseValidatorsAnswer(answer);
    if (!parsed.ok || parsed.value.total > MAX_VALIDATORS || parsed.value.validators.length === 0)
      throw unreadable(name);
    validators.push(...parsed.value.validators);
    if (validators.length >= parsed.value.total) return validators;
  }
}

/**
 * CometBFT takes signatures with a cofactor, and so a few that our one rule refuses. A validator could make such a one on purpose; it
 * counts as none, so that nobody can make a block's commit unusable for the rest.
 */
export function withoutUnsound(block: LightBlock): LightBlock {
  const { header, commit, validators } = block;
  if (!validatorSetOf(validators).ok) return block;
  const signatures = commit.signatures.map((one, place): CommitSignature => {
    if (one.vote === 'absent') return one;
    const message = voteSignBytes(header.chainName, commit, one.vote, one.timeNs);
    const validator = validators[place];
    const isSound = validator !== undefined && verifySignature(validator.publicKey, message, one.signature);
    return isSound ? one : { vote: 'absent' };
  });
  return { header, commit: { ...commit, signatures }, validators };
}

function unreadable(name: string): AppError {
  return new AppError(
    'node-unreachable',
    `${name} gave an answer about a block that this version does not understand.`,
  );
}
