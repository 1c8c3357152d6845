import { appHash } from '../../../ledger/index.ts';
import { AppError, DecodeError, equalBytes } from '../../../shared/index.ts';
import type { CommittedBlock, ConsensusChain } from '../consensus-chain.ts';
import { verifyRange } from './range-proof.ts';
import {
  type ChunkEnd,
  decodeChunk,
  decodeMetadata,
  leafHashesOf,
  SNAPSHOT_FORMAT,
  type SnapshotBlock,
  type SnapshotChunk,
  type SnapshotMetadata,
} from './snapshot-format.ts';

export type OfferedSnapshot = {
  readonly consensusHeight: number;
  readonly format: number;
  readonly chunks: number;
  readonly metadata: Uint8Array;
};

/** What becomes of an offer: taken, of a format that is not known, not needed, or a lie of whoever sends it. */
export type OfferVerdict = 'accepted' | 'unknown-format' | 'not-newer' | 'false';

type Restoring = {
  readonly metadata: SnapshotMetadata;
  readonly consensusHeight: number;
  /** The chunk that is to come. */
  next: number;
};

/**
 * Brings the ledger forward by a snapshot. The trusted appHash binds the roots in its metadata; each chunk is checked against the
 * root of the history when it comes, and its blocks are run, so that the state is the ledger's own work and never a peer's word.
 * A restore that was cut short goes on where it stopped.
 */
export class SnapshotRestore {
  readonly #chain: ConsensusChain;
  readonly #onBlock: (block: CommittedBlock) => void;
  #restoring: Restoring | undefined;

  constructor(chain: ConsensusChain, onBlock: (block: CommittedBlock) => void) {
    this.#chain = chain;
    this.#onBlock = onBlock;
  }

  offer(snapshot: OfferedSnapshot, trustedAppHash: Uint8Array): OfferVerdict {
    this.#restoring = undefined;
    if (snapshot.format !== SNAPSHOT_FORMAT) return 'unknown-format';
    const metadata = metadataOrNone(snapshot);
    if (metadata === undefined || !equalBytes(appHash(metadata), trustedAppHash)) return 'false';
    if (metadata.height <= this.#chain.parts.state.height && !this.#isHere(snapshot)) return 'not-newer';
    this.#restoring = { metadata, consensusHeight: snapshot.consensusHeight, next: 0 };
    return 'accepted';
  }

  /** Whether the ledger is at this snapshot already, as after a crash between its last chunk and CometBFT's taking note of it. */
  #isHere({ consensusHeight }: OfferedSnapshot): boolean {
    return this.#chain.recordedConsensusHeight === consensusHeight;
  }

  get isRestoring(): boolean {
    return this.#restoring !== undefined;
  }

  /**
   * Takes the next chunk over, or says that it is not what it should be; then nothing of it is taken. Stops between two blocks when
   * the connection is gone, so that the next one need not wait for the whole chunk.
   */
  async apply(index: number, bytes: Uint8Array, connection: AbortSignal): Promise<'accepted' | 'false'> {
    const restoring = this.#restoring;
    if (restoring === undefined || index !== restoring.next) throw outOfTurn(index);
    const chunk = chunkOrNone(bytes);
    if (chunk === undefined || !isPartOf(restoring.metadata, index, chunk)) return 'false';
    for (const block of chunk.blocks) {
      connection.throwIfAborted();
      await this.#take(block, restoring);
    }
    restoring.next += 1;
    if (restoring.next === restoring.metadata.chunkEnds.length) this.#finish(restoring);
    return 'accepted';
  }

  async #take(block: SnapshotBlock, { metadata, consensusHeight }: Restoring): Promise<void> {
    const { state } = this.#chain.parts;
    if (block.height <= state.height) {
      this.#checkKnown(block);
      return;
    }
    const at = block.height === metadata.height ? consensusHeight : 0;
    const committed = await this.#chain.restore(block, at);
    this.#onBlock(committed);
  }

  /** Blocks from before an interruption stay; they are the same, or this folder is another ledger's. */
  #checkKnown(block: SnapshotBlock): void {
    const { state } = this.#chain.parts;
    const first = state.placeOf(block.height)?.firstLeaf ?? 0;
    const isSame = leafHashesOf(block).every((hash, index) =>
      equalBytes(hash, state.history.leaf(first + index)),
    );
    if (!isSame) throw otherLedger(block.height);
  }

  #finish({ metadata }: Restoring): void {
    const { seal } = this.#chain.parts.state;
    this.#restoring = undefined;
    if (!equalBytes(seal.appHash, appHash(metadata))) throw otherLedger(metadata.height);
  }
}

/** Whether a chunk has the blocks that belong there, and the consortium's history has them at that place. */
function isPartOf(metadata: SnapshotMetadata, index: number, { blocks, proof }: SnapshotChunk): boolean {
  const { chunkEnds, logSize, logRoot } = metadata;
  const before = chunkEnds[index - 1] ?? { height: 0, leaves: 0 };
  const end = chunkEnds[index] as ChunkEnd;
  const leaves = blocks.reduce((sum, { transactions }) => sum + transactions.length, 0);
  const areInPlace =
    blocks.every(({ height }, at) => height === before.height + 1 + at) &&
    before.height + blocks.length === end.height &&
    before.leaves + leaves === end.leaves;
  if (!areInPlace) return false;
  try {
    return verifyRange(blocks.flatMap(leafHashesOf), before.leaves, logSize, proof, logRoot);
  } catch (cause) {
    if (cause instanceof DecodeError) return false;
    throw cause;
  }
}

function metadataOrNone({ metadata, chunks }: OfferedSnapshot): SnapshotMetadata | undefined {
  const decoded = decodedOrNone(() => decodeMetadata(metadata));
  return decoded?.chunkEnds.length === chunks ? decoded : undefined;
}

function chunkOrNone(bytes: Uint8Array): SnapshotChunk | undefined {
  return decodedOrNone(() => decodeChunk(bytes));
}

function decodedOrNone<Value>(decode: () => Value): Value | undefined {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof DecodeError) return undefined;
    throw cause;
  }
}

function outOfTurn(index: number): Error {
  return new Error(`Chunk ${index} of a snapshot came out of turn.`);
}

function otherLedger(height: number): AppError {
  return new AppError(
    'damaged',
    `The consortium has another block ${height} than this ledger folder. Check it with verify; if it is damaged, begin with an empty folder.`,
  );
}
