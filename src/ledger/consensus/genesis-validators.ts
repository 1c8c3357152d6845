import { type Result, toHex } from '../../shared/index.ts';
import { chainIdOf, type Genesis } from '../genesis.ts';
import { type LightError, type TrustedBlock, trustGenesis } from './light-block.ts';
import { inConsensusOrder } from './validator-set.ts';

/** CometBFT takes 50 characters at most, too few for a hash in hexadecimal. */
const CHAIN_NAME_BYTES = 16;

/** The name that the consensus engine has for a chain. The whole id is in every transaction. */
export function consensusChainName(genesis: Genesis): string {
  return `careledger-${toHex(chainIdOf(genesis).slice(0, CHAIN_NAME_BYTES))}`;
}

/** Whether blocks are decided by validators; otherwise one operator signs the heads. */
export function isConsortium({ validators }: Genesis): boolean {
  return validators.length > 0;
}

/** What a genesis with validators makes its holder believe: who decides the first block. */
export function trustConsortium(genesis: Genesis): Result<TrustedBlock, LightError> {
  const validators = genesis.validators.map(({ consensusKey, power }) => ({
    publicKey: consensusKey,
    power,
  }));
  return trustGenesis(consensusChainName(genesis), genesis.timeMs, inConsensusOrder(validators));
}
