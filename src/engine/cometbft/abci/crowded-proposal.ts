import { BinaryReader } from 'cosmjs-types/binary';
import { type Request, RequestProcessProposal } from 'cosmjs-types/tendermint/abci/types';
import { MAX_BLOCK_TRANSACTIONS } from '../../../ledger/index.ts';

/** Tags of protobuf (field number and wire type) of `Request.process_proposal` and `RequestProcessProposal.txs`. */
const PROCESS_PROPOSAL = (17 << 3) | 2;
const TXS = (1 << 3) | 2;
const WIRE_TYPE = 7;
const EMPTY = new Uint8Array(0);

/**
 * A proposal of more transactions than a block may have, as one of one too many: to decode millions of empty ones would fill
 * the memory of every validator, and CometBFT limits their bytes alone. Undefined for every other message.
 */
export function crowdedProposal(message: Uint8Array): Request | undefined {
  const reader = new BinaryReader(message);
  if (reader.uint32() !== PROCESS_PROPOSAL) return undefined;
  const end = reader.uint32() + reader.pos;
  let count = 0;
  while (reader.pos < end && count <= MAX_BLOCK_TRANSACTIONS) {
    const tag = reader.uint32();
    if (tag === TXS) count += 1;
    reader.skipType(tag & WIRE_TYPE);
  }
  if (count <= MAX_BLOCK_TRANSACTIONS) return undefined;
  return { processProposal: RequestProcessProposal.fromPartial({ txs: Array(count).fill(EMPTY) }) };
}
