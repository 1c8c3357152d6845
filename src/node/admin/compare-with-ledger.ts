import { equalBytes, toHex } from '../../shared/index.ts';
import { type AuditedRecord, createPause, type ErasedVersions, type Vault } from '../../vault/index.ts';
import { commitmentKey, type LedgerFacts } from './ledger-facts.ts';

export interface Discrepancy {
  severity: 'damage' | 'note';
  where: string;
  what: string;
}

/** The record versions of a vault, gathered while an audit walks them. */
export class WalkedRecords {
  readonly #found = new Set<string>();
  readonly #unknown: AuditedRecord[] = [];
  readonly #unanchored: string[] = [];
  readonly #facts: LedgerFacts;

  constructor(facts: LedgerFacts) {
    this.#facts = facts;
  }

  readonly take = (record: AuditedRecord): void => {
    const key = commitmentKey(record.commitment);
    this.#found.add(key);
    if (this.#facts.commitments.has(key)) return;
    if (record.anchored) this.#unknown.push(record);
    else this.#unanchored.push(key);
  };

  /** Marked as anchored, and yet the ledger does not have them. What the ledger learned meanwhile counts. */
  *unknownToLedger(): Generator<Discrepancy> {
    for (const { where, commitment } of this.#unknown) {
      if (this.#facts.commitments.has(commitmentKey(commitment))) continue;
      const what = `The ledger has no commitment ${toHex(commitment)}: this version is not one that was anchored.`;
      yield { severity: 'damage', where, what };
    }
  }

  /** Stored, and the ledger has not taken them: no damage, but nobody else could tell if they were changed. */
  *notAnchored(): Generator<Discrepancy> {
    const count = this.#unanchored.filter((key) => !this.#facts.commitments.has(key)).length;
    if (count === 0) return;
    const what = `${count} stored versions are not on the ledger yet. A running node puts them there as soon as the ledger takes them.`;
    yield { severity: 'note', where: 'records', what };
  }

  /**
   * On the ledger, not in the vault, and not erased: dropped, or taken back to an older state. As many as were erased so damaged
   * that nobody could tell which they were may be those.
   */
  async *missingFromVault(
    erased: ReadonlySet<string>,
    erasedUnknown: number,
    upToHeight: number,
  ): AsyncGenerator<Discrepancy> {
    const missing: string[] = [];
    const pause = createPause();
    for (const [key, height] of this.#facts.commitments) {
      await pause();
      if (height > upToHeight || this.#found.has(key) || erased.has(key)) continue;
      missing.push(key);
    }
    const where = 'records';
    const mayBeErased = missing.length <= erasedUnknown;
    const why = mayBeErased
      ? 'and is taken for one that was erased while it was damaged'
      : 'and was not erased';
    for (const key of missing) {
      const commitment = toHex(Uint8Array.from(Buffer.from(key, 'latin1')));
      const height = this.#facts.commitments.get(key);
      const what = `The version whose commitment ${commitment} is on the ledger at height ${height} is missing, ${why}.`;
      yield { severity: mayBeErased ? 'note' : 'damage', where, what };
    }
    if (erasedUnknown === 0 || mayBeErased) return;
    const what = `Of the ${missing.length} missing versions, ${erasedUnknown} were damaged and erased; nobody can tell which.`;
    yield { severity: 'note', where, what };
  }
}

/** Each erasure on the ledger has to be one that the vault lists, with the same versions, and the other way round. */
export function* erasureDiscrepancies(
  facts: LedgerFacts,
  erased: readonly ErasedVersions[],
): Generator<Discrepancy> {
  const listed = new Map(erased.map((one) => [toHex(one.erasureRoot), one.commitments]));
  const recorded = new Set<string>();
  for (const { erasureRoot, count, height } of facts.erasures) {
    const root = toHex(erasureRoot);
    recorded.add(root);
    if (listed.get(root)?.length === count) continue;
    const what = `The erasure of ${count} versions on the ledger at height ${height} is not in the vault's list of erasures.`;
    yield { severity: 'damage', where: `erasure ${root}`, what };
  }
  for (const [root, commitments] of listed) {
    if (recorded.has(root)) continue;
    const what = `The erasure of ${commitments.length} versions is not on the ledger yet; the next start records it.`;
    yield { severity: 'note', where: `erasure ${root}`, what };
  }
}

/** The access log has to have, at each size that was anchored, the root that is on the ledger; names the first gap. */
export function* accessLogDiscrepancies(
  { anchors, lostEntries }: LedgerFacts,
  log: Pick<Vault['accessLog'], 'size' | 'root'>,
): Generator<Discrepancy> {
  const where = 'access log';
  for (const { from, to, height } of lostEntries) {
    const what = `Entries ${from} to ${to} were lost, as this organisation said on the ledger at height ${height}.`;
    yield { severity: 'note', where, what };
  }
  const newest = anchors.at(-1);
  if (newest === undefined) return;
  if (newest.logSize > log.size) {
    const what = `It has ${log.size} entries, but ${newest.logSize} were anchored on the ledger at height ${newest.height}: entries ${log.size} to ${newest.logSize - 1} are missing.`;
    yield { severity: 'damage', where, what };
  }
  const present = anchors.filter((anchor) => anchor.logSize <= log.size);
  const first = firstWrong(present.length, (at) => {
    const anchor = present[at];
    return anchor !== undefined && equalBytes(log.root(anchor.logSize), anchor.logRoot);
  });
  const wrong = present[first];
  if (wrong === undefined) return;
  const from = present[first - 1]?.logSize ?? 0;
  const what = `Entries ${from} to ${wrong.logSize - 1} are not those that were anchored on the ledger at height ${wrong.height}.`;
  yield { severity: 'damage', where, what };
}

/** A wrong prefix makes every longer one wrong too. */
function firstWrong(count: number, isRight: (at: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isRight(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
