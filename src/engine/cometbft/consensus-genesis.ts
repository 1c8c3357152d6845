import { chainIdOf, encodeGenesis, type Genesis } from '../../ledger/index.ts';
import { equalBytes, fromHex, toHex } from '../../shared/index.ts';

/** CometBFT takes 50 characters at most, too few for a hash in hexadecimal. */
const CHAIN_NAME_BYTES = 16;

/** The name that the consensus engine has for a chain. The whole id is in every transaction. */
export function consensusChainName(genesis: Genesis): string {
  return `careledger-${toHex(chainIdOf(genesis).slice(0, CHAIN_NAME_BYTES))}`;
}

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
