import type { ResponseListSnapshots } from 'cosmjs-types/tendermint/abci/types';
import type { RecordedBlock } from '../../engine.ts';
import type { LedgerReader } from '../../ledger-reader.ts';
import type { LedgerState } from '../../ledger-state.ts';
import { consensusHeightOf } from '../consensus-head.ts';
import { proveRange } from './range-proof.ts';
import {
  type ChunkEnd,
  encodeChunk,
  encodeMetadata,
  MAX_CHUNKS,
  SNAPSHOT_FORMAT,
  type SnapshotBlock,
} from './snapshot-format.ts';

/** Blocks go into one chunk until they take this much; CometBFT takes chunks of sixteen million bytes. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** The newest block, and the newest whose height is a multiple of ten and of a hundred, so that many nodes offer the same. */
const STEPS = [1, 10, 100];
/** Whoever joins asks for the two blocks after the snapshot's too (CometBFT, statesync/stateprovider.go). */
const BLOCKS_BEYOND = 2;
const MAX_REMEMBERED = 1000;

/**
 * Offers the ledger up to a block. The log holds every block, so a snapshot is a stretch of it that is read when it is asked for:
 * nothing is stored, and each of the last thousand that were offered can be had.
 */
export class SnapshotSource {
  readonly #state: LedgerState;
  readonly #reader: LedgerReader;
  /** Which block of the ledger each snapshot that was offered ends with, by its height. */
  readonly #offered = new Map<number, number>();
  /** The first block of each chunk; it is the same at every node, whichever block a snapshot ends with. */
  readonly #chunkStarts: number[] = [];
  #planned = 0;
  #bytesInLast = 0;

  constructor(state: LedgerState, reader: LedgerReader) {
    this.#state = state;
    this.#reader = reader;
  }

  async list(consensusHeight: number): Promise<ResponseListSnapshots> {
    const newest = await this.#newestSettled(consensusHeight - BLOCKS_BEYOND);
    const heights = new Set(STEPS.map((step) => newest - (newest % step)).filter((height) => height > 0));
    const offered = await Promise.all([...heights].map((height) => this.#snapshotAt(height)));
    return { snapshots: offered.flatMap((one) => one ?? []) };
  }

  /**
   * A chunk of a snapshot that was offered; no bytes of any other, or a peer would make this node look for heights without end.
   * Who asks when this node has just started again asks another, or for what is offered now.
   */
  async load(consensusHeight: number, chunk: number): Promise<Uint8Array> {
    const height = this.#offered.get(consensusHeight);
    const ends = height === undefined ? [] : this.#chunkEnds(height);
    const end = ends[chunk];
    if (end === undefined) return new Uint8Array();
    const before = ends[chunk - 1] ?? { height: 0, leaves: 0 };
    const blocks: SnapshotBlock[] = [];
    for (let at = before.height + 1; at <= end.height; at++)
      blocks.push(snapshotBlock(await this.#blockAt(at)));
    const { leaves: size } = ends.at(-1) as ChunkEnd;
    const proof = proveRange(this.#state.history, { first: before.leaves, end: end.leaves }, size);
    return encodeChunk({ blocks, proof });
  }

  async #snapshotAt(height: number): Promise<ResponseListSnapshots['snapshots']> {
    const { head } = await this.#blockAt(height);
    const consensusHeight = consensusHeightOf(head.checkpoint) ?? 0;
    const chunkEnds = this.#chunkEnds(height);
    // Blocks that came from a snapshot themselves do not say which block of the consensus engine they were.
    if (consensusHeight === 0 || chunkEnds.length > MAX_CHUNKS) return [];
    this.#remember(consensusHeight, height);
    const metadata = encodeMetadata({ ...head, chunkEnds });
    const offer = { height: BigInt(consensusHeight), format: SNAPSHOT_FORMAT, chunks: chunkEnds.length };
    return [{ ...offer, hash: head.appHash, metadata }];
  }

  #remember(consensusHeight: number, height: number): void {
    const [oldest] = this.#offered.keys();
    if (this.#offered.size >= MAX_REMEMBERED && oldest !== undefined) this.#offered.delete(oldest);
    this.#offered.set(consensusHeight, height);
  }

  /** The newest block of the ledger at or before a height of the consensus engine; 0 where there is none. */
  async #newestSettled(consensusHeight: number): Promise<number> {
    let height = this.#state.height;
    while (height > 0 && (await this.#consensusHeightAt(height)) > consensusHeight) height -= 1;
    return height;
  }

  async #consensusHeightAt(height: number): Promise<number> {
    return consensusHeightOf((await this.#blockAt(height)).head.checkpoint) ?? 0;
  }

  async #blockAt(height: number): Promise<RecordedBlock> {
    const block = await this.#reader.block(height);
    if (block === undefined) throw new RangeError(`there is no block ${height}`);
    return block;
  }

  #chunkEnds(height: number): ChunkEnd[] {
    this.#plan();
    const starts = this.#chunkStarts.filter((start) => start <= height);
    return starts.map((_, index) => {
      const last = Math.min((starts[index + 1] ?? height + 1) - 1, height);
      return { height: last, leaves: this.#leavesAfter(last) };
    });
  }

  #plan(): void {
    for (let height = this.#planned + 1; height <= this.#state.height; height++) {
      const { offset = 0, end = 0 } = this.#state.placeOf(height) ?? {};
      this.#bytesInLast += end - offset;
      if (this.#chunkStarts.length === 0 || this.#bytesInLast > CHUNK_BYTES) {
        this.#chunkStarts.push(height);
        this.#bytesInLast = end - offset;
      }
      this.#planned = height;
    }
  }

  #leavesAfter(height: number): number {
    return this.#state.placeOf(height + 1)?.firstLeaf ?? this.#state.seal.logSize;
  }
}

function snapshotBlock({ block, results }: RecordedBlock): SnapshotBlock {
  const { height, timeMs, transactions } = block;
  return { height, timeMs, transactions, codes: results.map(({ code }) => code) };
}
