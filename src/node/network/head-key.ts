import type { Genesis } from '../../ledger/index.ts';
import { readFileIfThere } from '../folder/files.ts';
import type { DataFolder } from '../folder/layout.ts';
import { decodeCard } from './network-card.ts';

/** Who signs the heads in this node's copy of the ledger: the operator, or in a consortium the node itself. */
export function headKeyOf(folder: DataFolder, genesis: Genesis): Uint8Array {
  const card = readFileIfThere(folder.networkCard);
  return card === undefined ? genesis.operatorKey : decodeCard(card.toString('utf8')).nodeKey;
}
