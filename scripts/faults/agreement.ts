import { toHex } from '../../src/shared/index.ts';
import type { AccountsAnswer, BlockAnswer } from './application-protocol.ts';
import { type Load, placeText } from './load.ts';
import type { Validator } from './validator.ts';
import { comesToHold } from './waiting.ts';

const SAME_HEAD_MS = 60_000;

/** A node, as far as it shows what it holds. */
export type Witness = Pick<Validator, 'place' | 'ask' | 'head' | 'status' | 'hashes'>;
/** What the clients were told. */
export type Claims = Pick<Load, 'acknowledged' | 'contradictions' | 'signers'>;

type Shown = Map<number, { readonly digest: string; readonly by: number }>;

/** Every block that any node has shown, of the ledger and of the consensus engine: a second one at a height is a fork. */
export class Agreement {
  readonly #digests: Shown = new Map();
  readonly #hashes: Shown = new Map();
  readonly #seenLedger = new Map<number, number>();
  readonly #seenConsensus = new Map<number, number>();

  /** A node that begins anew shows everything again. */
  forget(place: number): void {
    this.#seenLedger.delete(place);
    this.#seenConsensus.delete(place);
  }

  /** What of the new blocks of these nodes does not fit to what others have shown. */
  async problems(validators: readonly Witness[]): Promise<string[]> {
    const found: string[] = [];
    for (const validator of validators)
      found.push(...(await this.#ledgerProblems(validator)), ...(await this.#consensusProblems(validator)));
    return found;
  }

  async #ledgerProblems(validator: Witness): Promise<string[]> {
    const { place } = validator;
    const from = (this.#seenLedger.get(place) ?? 0) + 1;
    const blocks = await validator.ask<BlockAnswer[]>({ ask: 'blocks', fromHeight: from });
    this.#seenLedger.set(place, blocks.at(-1)?.height ?? from - 1);
    return blocks.flatMap(({ height, digest }) =>
      this.#compared('ledger', this.#digests, height, digest, place),
    );
  }

  async #consensusProblems(validator: Witness): Promise<string[]> {
    const { place } = validator;
    const { height, earliestHeight } = await validator.status();
    const from = Math.max(earliestHeight, (this.#seenConsensus.get(place) ?? 0) + 1);
    const hashes = await validator.hashes(from, height);
    this.#seenConsensus.set(place, height);
    return [...hashes].flatMap(([at, hash]) => this.#compared('consensus', this.#hashes, at, hash, place));
  }

  #compared(what: string, known: Shown, height: number, digest: string, by: number): string[] {
    const first = known.get(height);
    if (first === undefined) known.set(height, { digest, by });
    if (first === undefined || first.digest === digest) return [];
    return [
      `FORK: ${what} block ${height} is ${first.digest} at node ${first.by} and ${digest} at node ${by}`,
    ];
  }
}

/** Once the load is over: one head everywhere, every acknowledged transaction where it was said to be, each recorded once. */
export async function finalProblems(
  validators: readonly Witness[],
  load: Claims,
  patienceMs = SAME_HEAD_MS,
): Promise<string[]> {
  const isOne = await comesToHold(async () => (await distinctHeads(validators)).size === 1, patienceMs);
  if (!isOne)
    return [`the nodes do not come to one head: ${[...(await distinctHeads(validators))].join(' | ')}`];
  const problems = [...load.contradictions];
  for (const validator of validators) problems.push(...(await recordProblems(validator, load)));
  return problems;
}

async function distinctHeads(validators: readonly Witness[]): Promise<Set<string>> {
  const heads = await Promise.all(validators.map((one) => one.head()));
  return new Set(heads.map(({ height, appHash }) => `block ${height}, appHash ${appHash}`));
}

async function recordProblems(validator: Witness, load: Claims): Promise<string[]> {
  const blocks = await validator.ask<BlockAnswer[]>({ ask: 'blocks', fromHeight: 1 });
  const problems: string[] = [];
  const places = new Map<string, string>();
  for (const { height, firstLeaf, transactions } of blocks)
    for (const [index, { id, code }] of transactions.entries()) {
      if (places.has(id)) problems.push(`transaction ${id} is recorded twice`);
      places.set(id, placeText({ height, index, code, leafIndex: firstLeaf + index }));
    }
  const isWhole = blocks[0]?.height === 1;
  for (const [id, said] of load.acknowledged) {
    const found = places.get(id);
    // A node that joined by state sync does not hold the blocks before; its state is compared below.
    if (found === undefined && !isWhole && said.height < (blocks[0]?.height ?? Number.POSITIVE_INFINITY))
      continue;
    if (found !== placeText(said))
      problems.push(`transaction ${id} was acknowledged at ${placeText(said)} and is ${found ?? 'missing'}`);
  }
  problems.push(...(await accountProblems(validator, load)));
  return problems.map((problem) => `node ${validator.place}: ${problem}`);
}

/** A signer's next number is how often it has signed: nothing is missing from the state, and nothing was applied twice. */
async function accountProblems(validator: Witness, { signers }: Claims): Promise<string[]> {
  const ids = signers.map(({ accountId }) => toHex(accountId));
  const found = await validator.ask<AccountsAnswer>({ ask: 'accounts', ids });
  return signers.flatMap(({ nextSequence }, at) =>
    found[at] === nextSequence
      ? []
      : [`signer ${ids[at]} has used ${nextSequence} numbers and the state says ${found[at]}`],
  );
}
