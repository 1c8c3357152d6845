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

/** A node that offers no snapshots and takes none: it joins by running every block. */
export class SnapshotServer {
  list(): ResponseListSnapshots {
    return { snapshots: [] };
  }

  offer(_request: RequestOfferSnapshot): ResponseOfferSnapshot {
    return { result: OfferResult.REJECT_FORMAT };
  }

  load(_request: RequestLoadSnapshotChunk): ResponseLoadSnapshotChunk {
    return { chunk: new Uint8Array() };
  }

  apply(_request: RequestApplySnapshotChunk): ResponseApplySnapshotChunk {
    return { result: ApplyResult.ABORT, refetchChunks: [], rejectSenders: [] };
  }
}
