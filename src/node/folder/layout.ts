import { join, resolve } from 'node:path';

/** Where everything a node writes is, below one folder. */
export interface DataFolder {
  root: string;
  ledger: string;
  vault: string;
  keys: string;
  /** Keys of made-up people, for the tour; absent with `--empty`. */
  demo: string;
  description: string;
  genesis: string;
  signingKeys: string;
  vaultKeys: string;
  passphrase: string;
  adminSocket: string;
  /** In a consortium: what it began with, this organisation's card, and the folder of its consensus engine. */
  network: string;
  networkCard: string;
  networkSettings: string;
  consensus: string;
  /** Of a node that joined by state sync: the blocks that lead from the genesis to its own ones, and whom it may ask for more. */
  chain: string;
  chainMembers: string;
}

/** The paths below a data folder. */
export function dataFolder(path: string): DataFolder {
  const root = resolve(path);
  return {
    root,
    ledger: join(root, 'ledger'),
    vault: join(root, 'vault'),
    keys: join(root, 'keys'),
    demo: join(root, 'demo'),
    description: join(root, 'node.json'),
    genesis: join(root, 'genesis.bin'),
    signingKeys: join(root, 'keys', 'signing.json'),
    vaultKeys: join(root, 'keys', 'vault.keys'),
    passphrase: join(root, 'keys', 'passphrase'),
    adminSocket: join(root, 'admin.sock'),
    network: join(root, 'network.json'),
    networkCard: join(root, 'network-card.json'),
    networkSettings: join(root, 'network-settings.json'),
    consensus: join(root, 'consensus'),
    chain: join(root, 'chain.json'),
    chainMembers: join(root, 'chain-members.json'),
  };
}
