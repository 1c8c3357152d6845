import type { ShareHolder } from './share-holder.ts';

/** What a block has of each thing that is scarce, or a transaction takes of it. */
export type Amount = { readonly work: number; readonly bytes: number; readonly keyChecks: number };

const NOTHING: Amount = { work: 0, bytes: 0, keyChecks: 0 };
/**
 * What asks for more of a block's work than this goes in beside what is shared out, one in each block. On slow machines it would otherwise
 * never find room, or leave none to others, its own organisation first.
 */
const LARGE_PART = 1 / 8;

/** A transaction that waits, as the packing of a block sees it. */
export type Offered = {
  readonly bytes: Uint8Array;
  readonly signer: string;
  readonly holder: ShareHolder;
  readonly amount: Amount;
};

/** Those of one group that wait: a line for each signer, the one whose turn it is first. */
type Group = { readonly holder: ShareHolder; readonly lines: Offered[][] };

/** Fills one block, by one choice after another out of what is left of it. */
export class FairOrder {
  readonly #whole: Amount;
  /** Within one choice: what a patient or a device takes first, because it is urgent, is not held against its organisation afterwards. */
  readonly #served = new Map<string, number>();
  #left: Amount;

  constructor(whole: Amount) {
    this.#whole = whole;
    this.#left = whole;
  }

  /** Chooses what goes first: no more of the block than this. */
  chooseFirst(offered: readonly Offered[], most: Amount): Set<Offered> {
    return this.#choose(offered, atLeastNothing(minus(this.#left, most)), false);
  }

  /** Chooses what fits into what is left, and one large one beside it. So the oldest is always chosen, if its bytes and key checks fit. */
  choose(offered: readonly Offered[]): Set<Offered> {
    return this.#choose(offered, NOTHING, true);
  }

  /**
   * The next is always of the organisation that got least, within it of the group that got least, and within that of the next signer; of
   * equals the one that came first. So everybody who waits gets a turn before anybody gets a much larger share than others. What is
   * offered of one signer is chosen in its order, from the first on.
   */
  #choose(offered: readonly Offered[], kept: Amount, hasPlaceBeside: boolean): Set<Offered> {
    const chosen = new Set<Offered>();
    const groups = groupsOf(offered);
    let isPlaceFree = hasPlaceBeside;
    this.#served.clear();
    for (let group = this.#leastServed(groups); group !== undefined; group = this.#leastServed(groups)) {
      if (this.#left.work <= kept.work) break;
      const line = group.lines.shift() as Offered[];
      const next = line.pop() as Offered;
      const isBeside = isPlaceFree && next.amount.work > this.#whole.work * LARGE_PART;
      const taken = isBeside ? { ...next.amount, work: 0 } : next.amount;
      const left = minus(this.#left, taken);
      // Where it does not fit, what its signer sent after it waits with it, or it would come before its turn.
      if (isWithin(kept, left)) {
        chosen.add(next);
        this.#left = left;
        this.#serve(next.holder, taken);
        if (isBeside) isPlaceFree = false;
        if (line.length > 0) group.lines.push(line);
      }
      if (group.lines.length === 0) groups.delete(group);
    }
    return chosen;
  }

  #leastServed(groups: ReadonlySet<Group>): Group | undefined {
    let least: Group | undefined;
    for (const group of groups)
      if (least === undefined || this.#isLess(group.holder, least.holder)) least = group;
    return least;
  }

  #isLess(one: ShareHolder, other: ShareHolder): boolean {
    const difference = this.#servedTo(one.organisation) - this.#servedTo(other.organisation);
    return difference < 0 || (difference === 0 && this.#servedTo(one.group) < this.#servedTo(other.group));
  }

  #servedTo(name: string): number {
    return this.#served.get(name) ?? 0;
  }

  /** A transaction counts by what it takes most of. */
  #serve(holder: ShareHolder, amount: Amount): void {
    const { work, bytes, keyChecks } = this.#whole;
    const share = Math.max(amount.work / work, amount.bytes / bytes, amount.keyChecks / keyChecks);
    for (const name of [holder.organisation, holder.group])
      this.#served.set(name, this.#servedTo(name) + share);
  }
}

/** In the order in which the first of each came; a line is turned round, so that its first is taken from the end. */
function groupsOf(offered: readonly Offered[]): Set<Group> {
  const lines = new Map<string, Offered[]>();
  const groups = new Map<string, Group>();
  for (const one of offered) {
    const line = lines.get(one.signer);
    line?.push(one);
    if (line !== undefined) continue;
    const first = [one];
    lines.set(one.signer, first);
    const group = groups.get(one.holder.group);
    if (group === undefined) groups.set(one.holder.group, { holder: one.holder, lines: [first] });
    else group.lines.push(first);
  }
  for (const line of lines.values()) line.reverse();
  return new Set(groups.values());
}

function minus(one: Amount, other: Amount): Amount {
  return {
    work: one.work - other.work,
    bytes: one.bytes - other.bytes,
    keyChecks: one.keyChecks - other.keyChecks,
  };
}

function atLeastNothing({ work, bytes, keyChecks }: Amount): Amount {
  return {
    work: Math.max(0, work),
    bytes: Math.max(0, bytes),
    keyChecks: Math.max(0, keyChecks),
  };
}

function isWithin(one: Amount, other: Amount): boolean {
  return one.work <= other.work && one.bytes <= other.bytes && one.keyChecks <= other.keyChecks;
}
