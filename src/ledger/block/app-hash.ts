import { CanonicalWriter, sha256 } from '../../shared/index.ts';

const APP_VERSION = 1;
const DOMAIN = 'careledger/app/v1';

export type AppState = {
  readonly height: number;
  readonly logSize: number;
  readonly logRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
};

/** One hash for all that a node knows at a height: two nodes at one height have one. */
export function appHash(state: AppState): Uint8Array {
  return sha256(
    new CanonicalWriter()
      .ascii(DOMAIN, DOMAIN.length)
      .u16(APP_VERSION)
      .u64(state.height)
      .u64(state.logSize)
      .fixed(state.logRoot, 32)
      .fixed(state.stateRoot, 32)
      .finish(),
  );
}
