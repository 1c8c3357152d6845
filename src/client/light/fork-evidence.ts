import {
  chainIdOf,
  decodeGenesis,
  decodeLightBlock,
  encodeGenesis,
  encodeLightBlock,
  type Fork,
  type ForkKind,
  forkOf,
  type Genesis,
  isRealFork,
  type LightBlock,
  MAX_LIGHT_BLOCK_BYTES,
  trustConsortium,
  verifyChain,
} from '../../ledger/index.ts';
import { AppError, equalBytes, err, ok, type Result, toHex } from '../../shared/index.ts';
import { base64, type Decoded, list, object, oneOf, ShapeError } from '../receipts/json-codec.ts';
import { MAX_CHAIN_BLOCKS } from '../receipts/receipt-format.ts';
import { isWithinProofLimits } from '../receipts/verify-consensus.ts';
import { chainLimits } from '../receipts/words.ts';
import { openSealedJson, sealJson } from '../sealed-json.ts';
import type { ForkFound } from './compare-sources.ts';
import { validatorText } from './signers.ts';

const FORMAT = 'careledger-fork/v1';
const MAX_CHARACTERS = 2 << 20;
const KINDS: Record<ForkKind, string> = {
  equivocation: 'These validators signed two blocks in one round, which no honest validator does',
  amnesia:
    'These validators signed two blocks in different rounds; those among them who forgot a lock did wrong',
  lunatic: 'These validators signed both, one of which does not follow from the state of the chain',
};

/** `blocks` lead from the genesis to one of two blocks of a height, and `conflicting` is the other. */
const evidence = object({
  format: oneOf([FORMAT]),
  genesis: base64(64 << 10),
  blocks: list(base64(MAX_LIGHT_BLOCK_BYTES), MAX_CHAIN_BLOCKS),
  conflicting: base64(MAX_LIGHT_BLOCK_BYTES),
});

export type ForkVerdict = {
  readonly fork: Fork;
  readonly statements: readonly string[];
  readonly notProven: readonly string[];
};

/** What a fork shows, in words. */
export function forkStatements(genesis: Genesis, fork: Fork): readonly string[] {
  const { kind, height, hashes, signedBoth, signedBothPower, conflictingPower, totalPower, rounds } = fork;
  return [
    `At height ${height} of the chain ${toHex(chainIdOf(genesis))} there are two blocks, each with the signatures of more than two thirds of its validators: ` +
      `${toHex(hashes[0])} in round ${rounds[0]} and ${toHex(hashes[1])} in round ${rounds[1]}.`,
    `${KINDS[kind]}, with ${signedBothPower} of ${totalPower} of the power:`,
    ...signedBoth.map((validator) => validatorText(genesis, validator)),
    ...(conflictingPower === signedBothPower
      ? []
      : [
          `Of the power of the first block's validators, ${conflictingPower} of ${totalPower} is under the second.`,
        ]),
  ];
}

/** The error that a light client ends with; its cause is the ForkFound, and formatForkEvidence makes a file of it. */
export function forkError(genesis: Genesis, found: ForkFound): AppError {
  const [first, second] = found.sources;
  return new AppError(
    'forked-head',
    `The chain is forked: ${first} and ${second} have different blocks. ${forkStatements(genesis, found.fork).join(' ')} ` +
      'Trust neither, and show both blocks to the organisations.',
    { cause: found },
  );
}

/**
 * A file that proves a fork to anybody who knows the chain's genesis; undefined where no blocks lead there from the genesis, or more
 * than a file holds.
 */
export function formatForkEvidence(
  genesis: Genesis,
  { path, blocks: [, second] }: Pick<ForkFound, 'blocks' | 'path'>,
): string | undefined {
  const blocks = path?.map(encodeLightBlock);
  if (blocks === undefined || !isWithinProofLimits(blocks)) return undefined;
  const conflicting = encodeLightBlock(second);
  const members = { format: FORMAT, genesis: encodeGenesis(genesis), blocks, conflicting } as const;
  return sealJson(evidence.encode(members) as Record<string, unknown>);
}

/** Whether a file's text is meant as the proof of a fork: by the format that it names. */
export function isForkEvidence(text: string): boolean {
  return text.includes(`"format":"${FORMAT}"`);
}

/**
 * Checks such a file: by hand-over from the genesis, that the validators of the chain decided the first block; and that more than a
 * third of their power signed the second one, which holds in itself.
 */
export function verifyForkEvidence(
  source: string,
  trust: { readonly chainId?: Uint8Array } = {},
): Result<ForkVerdict, string> {
  const opened = openSealedJson(source, MAX_CHARACTERS);
  if (!opened.ok) return opened;
  try {
    const shown = evidence.decode(opened.value);
    const genesis = decodeGenesis(shown.genesis);
    if (!genesis.ok) return err('genesis-malformed');
    if (trust.chainId !== undefined && !equalBytes(chainIdOf(genesis.value), trust.chainId))
      return err('wrong-chain');
    const fork = provenFork(genesis.value, shown);
    return fork.ok ? ok(verdictOf(genesis.value, fork.value, shown.blocks.length, trust)) : fork;
  } catch (error) {
    if (error instanceof ShapeError) return err('evidence-malformed');
    throw error;
  }
}

function provenFork(
  genesis: Genesis,
  shown: Pick<Decoded<typeof evidence>, 'blocks' | 'conflicting'>,
): Result<Fork, string> {
  const beginning = trustConsortium(genesis);
  const blocks = decodedBlocks([...shown.blocks, shown.conflicting]);
  const conflicting = blocks?.pop();
  if (
    !beginning.ok ||
    !isWithinProofLimits(shown.blocks) ||
    blocks === undefined ||
    conflicting === undefined
  )
    return err('blocks-malformed');
  const decided = verifyChain(beginning.value, blocks);
  if (!decided.ok) return decided;
  const fork = forkOf(decided.value.block, conflicting, beginning.value.chainName);
  return !fork.ok || isRealFork(fork.value) ? fork : err('not-by-its-validators');
}

function decodedBlocks(encoded: readonly Uint8Array[]): LightBlock[] | undefined {
  const blocks = encoded.map(decodeLightBlock);
  return blocks.every((block) => block.ok) ? blocks.map((block) => block.value) : undefined;
}

function verdictOf(
  genesis: Genesis,
  fork: Fork,
  steps: number,
  trust: { readonly chainId?: Uint8Array },
): ForkVerdict {
  const lead =
    `${steps === 1 ? 'One block leads' : `${steps} blocks lead`} from the genesis to the first of them, ` +
    'each signed by more than two thirds of the validators before.';
  const [what = '', ...who] = forkStatements(genesis, fork);
  return { fork, statements: [what, lead, ...who], notProven: chainLimits(chainIdOf(genesis), trust) };
}
