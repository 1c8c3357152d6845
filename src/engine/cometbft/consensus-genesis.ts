import { encodeGenesis, type Genesis } from '../../ledger/index.ts';
import { equalBytes, fromHex, toHex } from '../../shared/index.ts';

export { consensusChainName } from '../../ledger/index.ts';

/** The application's part of CometBFT's genesis file. */
export function appStateOf(genesis: Genesis): { readonly careledgerGenesis: string } {
  return { careledgerGenesis: toHex(encodeGenesis(genesis)) };
}

/** Whether the application's part of a genesis file is the beginning of this ledger. */
export function isAppStateOf(genesis: Genesis, appState: Uint8Array): boolean {
  try {
    const { careledgerGenesis } = JSON.parse(new TextDecoder().decode(appState));
    const found = typeof careledgerGenesis === 'string' ? fromHex(careledgerGenesis) : undefined;
    return found !== undefined && equalBytes(found, encodeGenesis(genesis));
  } catch {
    return false;
  }
}
