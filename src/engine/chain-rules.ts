import type { ContractTable, Genesis, StateWrite } from '../ledger/index.ts';
import type { UnsignedSeal } from './ledger-state.ts';

/** What makes one chain: its beginning, its rules, and who signs its heads. */
export type ChainRules = {
  readonly genesis: Genesis;
  readonly chainId: Uint8Array;
  readonly contracts: ContractTable;
  genesisState(genesis: Genesis): readonly StateWrite[];
  signHead(height: number, seal: UnsignedSeal): string;
};
