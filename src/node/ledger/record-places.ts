import { decodeCommitVersions, decodeSinglePart, readAnchor } from '../../contracts/index.ts';
import type { Engine, RecordedBlock } from '../../engine/index.ts';
import { type Transaction, transactionId } from '../../ledger/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';
import type { AccessAnchor, SealedRecord } from '../../vault/index.ts';
import { effectiveTransactions } from './effective-transactions.ts';

const CLOCK_SLACK_MS = 2000;
const MAX_REMEMBERED = 1024;

/** The transaction that put a version's commitment on the ledger, and which of its entries that is. */
export interface RecordPlace {
  readonly id: Uint8Array;
  readonly entryIndex: number;
}

/** Where the custodian's record versions stand on the ledger. */
export interface RecordPlaces {
  /** Undefined where the version is not there yet. */
  of(record: Pick<SealedRecord, 'commitment' | 'lastUpdatedMs'>): Promise<RecordPlace | undefined>;
}

type Blocks = Pick<Engine, 'head' | 'block' | 'blocks'>;

/**
 * Looks from the first block that is not older than the write, without an end: a version that the ledger refused may arrive there long
 * after. What was looked for is remembered, so that nobody who asks again and again costs a walk each time.
 */
export function createRecordPlaces(engine: Blocks, custodian: Uint8Array): RecordPlaces {
  const known = new Map<string, { readonly place: RecordPlace } | { readonly nextHeight: number }>();
  const remember = (name: string, found: { place: RecordPlace } | { nextHeight: number }): void => {
    known.delete(name);
    known.set(name, found);
    const [oldest] = known.keys();
    if (known.size > MAX_REMEMBERED && oldest !== undefined) known.delete(oldest);
  };
  return {
    async of({ commitment, lastUpdatedMs }) {
      const name = toHex(commitment);
      const before = known.get(name);
      if (before !== undefined && 'place' in before) return before.place;
      let nextHeight = before?.nextHeight ?? (await firstBlockSince(engine, lastUpdatedMs - CLOCK_SLACK_MS));
      for await (const recorded of engine.blocks(nextHeight)) {
        const place = placeIn(recorded, commitment, custodian);
        if (place !== undefined) remember(name, { place });
        if (place !== undefined) return place;
        nextHeight = recorded.block.height + 1;
      }
      remember(name, { nextHeight });
      return undefined;
    },
  };
}

/** The transaction in this block by which the custodian anchored just this head of its access log. */
export function anchorIdIn(
  recorded: RecordedBlock,
  { size, root }: Pick<AccessAnchor, 'size' | 'root'>,
  custodian: Uint8Array,
): Uint8Array | undefined {
  for (const { header, parts } of custodianTransactions(recorded, 'anchor-access-log', custodian)) {
    const anchor = decodeSinglePart(parts, readAnchor);
    if (anchor.ok && anchor.value.logSize === size && equalBytes(anchor.value.logRoot, root))
      return transactionId(header);
  }
  return undefined;
}

function placeIn(
  recorded: RecordedBlock,
  commitment: Uint8Array,
  custodian: Uint8Array,
): RecordPlace | undefined {
  for (const { header, parts } of custodianTransactions(recorded, 'commit-versions', custodian)) {
    const batch = decodeCommitVersions(parts);
    const entryIndex = batch.ok
      ? batch.value.entries.findIndex((entry) => equalBytes(entry.commitment, commitment))
      : -1;
    if (entryIndex >= 0) return { id: transactionId(header), entryIndex };
  }
  return undefined;
}

/** Anybody can put the same bytes on the ledger, before the custodian too; only its own transactions are what it said. */
function* custodianTransactions(
  recorded: RecordedBlock,
  name: 'anchor-access-log' | 'commit-versions',
  custodian: Uint8Array,
): Generator<Transaction> {
  for (const { transaction } of effectiveTransactions(recorded, name))
    if (equalBytes(transaction.header.signer, custodian)) yield transaction;
}

/** Block times only grow, so halving finds the place. */
async function firstBlockSince(engine: Blocks, timeMs: number): Promise<number> {
  let low = 1;
  let high = engine.head().height;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const block = await engine.block(middle);
    if (block !== undefined && block.block.timeMs >= timeMs) high = middle;
    else low = middle + 1;
  }
  return low;
}
