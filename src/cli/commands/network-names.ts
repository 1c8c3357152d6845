import { readFileSync } from 'node:fs';
import { accountIdOf } from '../../identity/index.ts';
import { decodeNetwork, networkFingerprint } from '../../node/index.ts';
import { AppError, fromHex, toHex } from '../../shared/index.ts';

/** What a network file tells a verifier: which chain it is, and what its organisations are called. */
export interface KnownNetwork {
  chainId: Uint8Array;
  organisationNames: ReadonlyMap<string, string>;
}

/** Reads a network file; each name in it is signed by its organisation. */
export function readNetwork(path: string): KnownNetwork {
  const network = decodeNetwork(readFileSync(path, 'utf8'));
  const names = network.cards.map(
    ({ custodianKey, organisation }) => [toHex(accountIdOf(custodianKey)), organisation] as const,
  );
  return { chainId: fromHex(networkFingerprint(network)) as Uint8Array, organisationNames: new Map(names) };
}

/** The chain id of an option. */
export function chainOption(chain: string | undefined): Uint8Array | undefined {
  const chainId = chain === undefined ? undefined : fromHex(chain);
  if (chain !== undefined && chainId?.length !== 32)
    throw new AppError('usage', '--chain takes 64 hexadecimal digits.');
  return chainId;
}
