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
  MAX_LIGHT_BLOCK_BYTES,
  trustConsortium,
} from '../../ledger/index.ts';
import { AppError, equalBytes, err, ok, type Result, toHex } from '../../shared/index.ts';
import { base64, object, oneOf, ShapeError } from '../receipts/json-codec.ts';
import { openSealedJson, sealJson } from '../sealed-json.ts';
import type { ForkFound } from './compare-sources.ts';
import { validatorText } from './signers.ts';

const FORMAT = 'careledger-fork/v1';
const MAX_CHARACTERS = 3 * MAX_LIGHT_BLOCK_BYTES;
const KINDS: Record<ForkKind, string> = {
  equivocation: 'These validators signed two blocks in one round, which no honest validator does',
  amnesia:
    'These validators signed two blocks in different rounds; those among them who forgot a lock did wrong',
  lunatic: 'These validators signed both, one of which does not follow from the state of the chain',
};

const evidence = object({
  format: oneOf([FORMAT]),
  genesis: base64(64 << 10),
  first: base64(MAX_LIGHT_BLOCK_BYTES),
  second: base64(MAX_LIGHT_BLOCK_BYTES),
});

export type ForkVerdict = { readonly fork: Fork; readonly statements: readonly string[] };

/** What a fork shows, in words. */
export function forkStatements(genesis: Genesis, fork: Fork): readonly string[] {
  const { kind, height, hashes, signedBoth, signedBothPower, totalPower, rounds } = fork;
  return [
    `At height ${height} of the chain ${toHex(chainIdOf(genesis))} there are two blocks, each with the signatures of more than two thirds of its validators: ` +
      `${toHex(hashes[0])} in round ${rounds[0]} and ${toHex(hashes[1])} in round ${rounds[1]}.`,
    `${KINDS[kind]}, with ${signedBothPower} of ${totalPower} of the power:`,
    ...signedBoth.map((validator) => validatorText(genesis, validator)),
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

/** A file that proves a fork to anybody who knows the chain's genesis. */
export function formatForkEvidence(genesis: Genesis, { blocks }: Pick<ForkFound, 'blocks'>): string {
  const [first, second] = blocks;
  const members = {
    format: FORMAT,
    genesis: encodeGenesis(genesis),
    first: encodeLightBlock(first),
    second: encodeLightBlock(second),
  } as const;
  return sealJson(evidence.encode(members) as Record<string, unknown>);
}

/** Whether a file's text is meant as the proof of a fork: by the format that it names. */
export function isForkEvidence(text: string): boolean {
  return text.includes(`"format":"${FORMAT}"`);
}

/**
 * Checks such a file. Its signatures prove who signed two blocks. That those were the validators of the chain at that height is
 * shown for the validators of the genesis, whom the words name with their organisation.
 */
export function verifyForkEvidence(
  source: string,
  trust: { readonly chainId?: Uint8Array } = {},
): Result<ForkVerdict, string> {
  const opened = openSealedJson(source, MAX_CHARACTERS);
  if (!opened.ok) return opened;
  try {
    const { genesis: genesisBytes, first, second } = evidence.decode(opened.value);
    const genesis = decodeGenesis(genesisBytes);
    if (!genesis.ok) return err('genesis-malformed');
    if (trust.chainId !== undefined && !equalBytes(chainIdOf(genesis.value), trust.chainId))
      return err('wrong-chain');
    const beginning = trustConsortium(genesis.value);
    const blocks = [decodeLightBlock(first), decodeLightBlock(second)] as const;
    if (!beginning.ok || !blocks[0].ok || !blocks[1].ok) return err('blocks-malformed');
    const fork = forkOf(blocks[0].value, blocks[1].value, beginning.value.chainName);
    if (!fork.ok) return fork;
    return ok({ fork: fork.value, statements: forkStatements(genesis.value, fork.value) });
  } catch (error) {
    if (error instanceof ShapeError) return err('evidence-malformed');
    throw error;
  }
}
