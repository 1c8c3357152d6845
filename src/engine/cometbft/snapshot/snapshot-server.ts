import {
  ResponseApplySnapshotChunk_Result as ApplyResult,
  ResponseOfferSnapshot_Result as OfferResult,
  type RequestApplySnapshotChunk,
  type RequestLoadSnapshotChunk,
  type RequestOfferSnapshot,
  type ResponseApplySnapshotChunk,
  type ResponseListSnapshots,
  type ResponseLoadSnapshotChunk,
  type ResponseOfferSnapshot,
} from 'cosmjs-types/tendermint/abci/types';
import type { LedgerReader } from '../../ledger-reader.ts';
import type { CommittedBlock, ConsensusChain } from '../consensus-chain.ts';
import { SNAPSHOT_FORMAT } from './snapshot-format.ts';
import { type OfferVerdict, SnapshotRestore } from './snapshot-restore.ts';
import { SnapshotSource } from './snapshot-source.ts';

const OFFER_RESULTS: Record<OfferVerdict, OfferResult> = {
  accepted: OfferResult.ACCEPT,
  'unknown-format': OfferResult.REJECT_FORMAT,
  'not-newer': OfferResult.REJECT,
  false: OfferResult.REJECT_SENDER,
};

type ServerParts = {
  readonly chain: ConsensusChain;
  readonly reader: LedgerReader;
  readonly onBlock: (block: CommittedBlock) => void;
  readonly log: (line: string) => void;
};

/** Snapshots as ABCI has them: those this node offers, and the one it joins by. */
export class SnapshotServer {
  readonly #parts: ServerParts;
  readonly #source: SnapshotSource;
  readonly #restore: SnapshotRestore;

  constructor(parts: ServerParts) {
    const { chain, reader, onBlock } = parts;
    this.#parts = parts;
    this.#source = new SnapshotSource(chain.parts.state, reader);
    this.#restore = new SnapshotRestore(chain, onBlock);
  }

  list(): Promise<ResponseListSnapshots> {
    return this.#source.list(this.#parts.chain.consensusHeight);
  }

  offer({ snapshot, appHash }: RequestOfferSnapshot): ResponseOfferSnapshot {
    const { height = 0n, format = 0, chunks = 0, metadata = new Uint8Array() } = snapshot ?? {};
    const consensusHeight = Number(height);
    const verdict = this.#restore.offer({ consensusHeight, format, chunks, metadata }, appHash);
    this.#parts.log(`The snapshot of block ${height} in ${chunks} chunks is ${WORDS[verdict]}.`);
    return { result: OFFER_RESULTS[verdict] };
  }

  async load({ height, format, chunk }: RequestLoadSnapshotChunk): Promise<ResponseLoadSnapshotChunk> {
    if (format !== SNAPSHOT_FORMAT) return { chunk: new Uint8Array() };
    return { chunk: await this.#source.load(Number(height), chunk) };
  }

  /** A false chunk is fetched again from another node, and its sender is asked for nothing more. */
  async apply(
    { index, chunk, sender }: RequestApplySnapshotChunk,
    connection: AbortSignal,
  ): Promise<ResponseApplySnapshotChunk> {
    if (!this.#restore.isRestoring)
      return { result: ApplyResult.ABORT, refetchChunks: [], rejectSenders: [] };
    const verdict = await this.#restore.apply(index, chunk, connection);
    if (verdict === 'accepted') return { result: ApplyResult.ACCEPT, refetchChunks: [], rejectSenders: [] };
    this.#parts.log(
      `Chunk ${index} of the snapshot, from node ${JSON.stringify(sender)}, is not what the consortium agreed on. It is fetched again from another node.`,
    );
    return { result: ApplyResult.RETRY, refetchChunks: [index], rejectSenders: [sender] };
  }
}

const WORDS: Record<OfferVerdict, string> = {
  accepted: 'taken',
  'unknown-format': 'refused: its format is not known to this version',
  'not-newer': 'refused: this ledger is further already',
  false: 'refused: it does not lead to the state that the consortium agreed on',
};
