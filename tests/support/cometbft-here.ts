import { findCometBft } from '../../src/engine/index.ts';

/** Why a test that needs CometBFT is skipped; false where it is here. Nothing is built for a test. */
export const skipWithoutCometBft: string | false = await findCometBft({
  log: () => undefined,
  mayBuild: false,
}).then(
  () => false as const,
  () => 'CometBFT is not on the PATH, nor in the cache where `careledger network` keeps it',
);
