import { publicKeyOf, signMessage } from '../../../identity/index.ts';
import { assert, fromBase64, sha256, utf8 } from '../../../shared/index.ts';
import { type BlockHeader, type BlockId, headerHash, NO_BLOCK } from '../block-header.ts';
import { type Commit, type CommitSignature, voteSignBytes } from '../commit.ts';
import { type LightBlock, type TrustedBlock, trustGenesis } from '../light-block.ts';
import { parseCommitAnswer, parseValidatorsAnswer } from '../rpc-answers.ts';
import { inConsensusOrder, type Validator, type ValidatorSet, validatorSetOf } from '../validator-set.ts';

export type RecordedBlock = { readonly block: LightBlock; readonly addresses: readonly string[] };
export type RecordedChain = {
  readonly chainName: string;
  readonly genesis: TrustedBlock;
  readonly blocks: readonly RecordedBlock[];
};

type RecordedAnswers = {
  readonly genesis: {
    readonly chain_id: string;
    readonly genesis_time: string;
    readonly validators: readonly { readonly pub_key: { readonly value: string }; readonly power: string }[];
  };
  readonly blocks: readonly {
    readonly commit: unknown;
    readonly validators: { readonly validators: readonly { readonly address: string }[] };
  }[];
};

/** The light blocks in vectors/consensus/light-blocks.json. */
export function readRecorded(answers: unknown): RecordedChain {
  const { genesis, blocks } = answers as RecordedAnswers;
  const validators = genesis.validators.map(({ pub_key, power }) => ({
    publicKey: fromBase64(pub_key.value) ?? new Uint8Array(),
    power: Number(power),
  }));
  const timeMs = Date.parse(genesis.genesis_time);
  const trusted = trustGenesis(genesis.chain_id, timeMs, inConsensusOrder(validators));
  assert(trusted.ok, 'the recorded genesis has validators');
  return {
    chainName: genesis.chain_id,
    genesis: trusted.value,
    blocks: blocks.map((answer) => ({
      block: recordedBlock(answer.commit, answer.validators),
      addresses: answer.validators.validators.map(({ address }) => address),
    })),
  };
}

function recordedBlock(commitAnswer: unknown, validatorsAnswer: unknown): LightBlock {
  const signed = parseCommitAnswer(commitAnswer);
  const page = parseValidatorsAnswer(validatorsAnswer);
  assert(signed.ok && page.ok, 'what CometBFT answered can be read');
  return { ...signed.value, validators: page.value.validators };
}

/** A validator whose key is here, so that it can be made to sign anything. */
export type SigningValidator = Validator & { readonly seed: Uint8Array };

export function signingValidator(name: string, power = 1): SigningValidator {
  const seed = sha256(utf8(`validator ${name}`));
  return { seed, publicKey: publicKeyOf(seed), power };
}

export function setOf(validators: readonly Validator[]): ValidatorSet {
  const set = validatorSetOf(validators);
  assert(set.ok, 'the validators of a test are a set');
  return set.value;
}

export type BlockPlan = {
  readonly chainName: string;
  readonly height: number;
  readonly timeMs: number;
  readonly validators: readonly SigningValidator[];
  readonly nextValidators?: readonly SigningValidator[];
  readonly lastBlockId?: BlockId;
  readonly appHash?: Uint8Array;
  readonly dataHash?: Uint8Array;
  readonly round?: number;
  /** What each validator does, by its place in the order of consensus; they all sign the block unless this says otherwise. */
  readonly vote?: (place: number, validator: SigningValidator) => CommitSignature['vote'];
};

/** A block whose header and commit are as CometBFT would make them, signed with the keys of the plan. */
export function makeLightBlock(plan: BlockPlan): LightBlock {
  const validators = inConsensusOrder(plan.validators) as readonly SigningValidator[];
  const header = makeHeader(plan, setOf(validators));
  const blockId = blockIdOf(header);
  const commit = { height: plan.height, round: plan.round ?? 0, blockId };
  const signatures = validators.map((validator, place) =>
    signatureOf(plan, commit, validator, plan.vote?.(place, validator) ?? 'commit', place),
  );
  return { header, commit: { ...commit, signatures }, validators: validators.map(publicPart) };
}

export function blockIdOf(header: BlockHeader): BlockId {
  const hash = headerHash(header);
  return { hash, parts: { total: 1, hash: sha256(hash) } };
}

function makeHeader(plan: BlockPlan, set: ValidatorSet): BlockHeader {
  const { chainName, height, timeMs, appHash = sha256(utf8('app')) } = plan;
  const nothing = sha256(new Uint8Array());
  const earlier = { hash: sha256(utf8(`block ${height - 1}`)), parts: { total: 1, hash: nothing } };
  return {
    version: { block: 11, app: 1 },
    chainName,
    height,
    timeNs: BigInt(timeMs) * 1_000_000n + 123_456n,
    lastBlockId: plan.lastBlockId ?? (height === 1 ? NO_BLOCK : earlier),
    lastCommitHash: nothing,
    dataHash: plan.dataHash ?? nothing,
    validatorsHash: set.hash,
    nextValidatorsHash: setOf(inConsensusOrder(plan.nextValidators ?? plan.validators)).hash,
    consensusHash: sha256(utf8('parameters')),
    appHash,
    lastResultsHash: nothing,
    evidenceHash: nothing,
    proposerAddress: set.addresses[0] as Uint8Array,
  };
}

function signatureOf(
  { chainName, timeMs }: BlockPlan,
  commit: Omit<Commit, 'signatures'>,
  { seed, publicKey, power }: SigningValidator,
  vote: CommitSignature['vote'],
  place: number,
): CommitSignature {
  if (vote === 'absent') return { vote };
  const timeNs = BigInt(timeMs + 100) * 1_000_000n + BigInt(place);
  const signature = signMessage(seed, voteSignBytes(chainName, commit, vote, timeNs));
  return { vote, address: setOf([{ publicKey, power }]).addresses[0] as Uint8Array, timeNs, signature };
}

function publicPart({ publicKey, power }: SigningValidator): Validator {
  return { publicKey, power };
}
