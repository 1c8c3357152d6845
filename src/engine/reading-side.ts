import { toHex } from '../shared/index.ts';
import { backupLog } from './backup.ts';
import type { ChainRules } from './chain-rules.ts';
import type { Engine } from './engine.ts';
import type { LedgerReader } from './ledger-reader.ts';
import type { OpenedLedger } from './open-ledger.ts';

/** What every engine answers from its opened ledger, whoever orders the blocks. */
export function readingSide(
  reader: LedgerReader,
  { log, state }: Pick<OpenedLedger, 'log' | 'state'>,
  rules: ChainRules,
): Omit<Engine, 'submit' | 'onCommit' | 'close'> {
  return {
    chainId: rules.chainId,
    recovery: log.recovery,
    head: () => reader.head(),
    state: { get: (key) => state.values.get(key) },
    stateProof: (key) => reader.stateProof(key),
    inclusionProof: (leafIndex, size) => reader.inclusionProof(leafIndex, size),
    consistencyProof: (fromSize, toSize) => reader.consistencyProof(fromSize, toSize),
    transaction: (id) => reader.transaction(id),
    block: (height) => reader.block(height),
    blocks: (fromHeight) => reader.blocks(fromHeight),
    leaf: (leafIndex) => reader.leaf(leafIndex),
    backup: (folder) => backupLog(log, folder, toHex(rules.chainId)),
  };
}
