import { fewestSteps, type LightSource, verifyByHalving } from '../../client/index.ts';
import {
  type LightBlock,
  type TrustedBlock,
  type VerifiedBlock,
  verifyHandedOver,
} from '../../ledger/index.ts';
import type { KeptChain } from '../network/state-sync.ts';

/** Twice what a receipt holds; who needs more gets none, so nothing is won by keeping it. */
const MAX_KEPT = 256;

/** What leads from the genesis to blocks of the consensus engine. */
export interface HandedOverChain {
  /** The fewest blocks that are known to lead to this one by hand-over, itself the last. */
  to(target: LightBlock): Promise<readonly VerifiedBlock[]>;
}

/** Keeps the blocks at which the validators had changed so far that they are needed, and begins at the last of them the next time. */
export function createHandedOverChain(
  genesis: TrustedBlock,
  source: LightSource,
  before?: Pick<KeptChain, 'blocks' | 'keep'>,
): HandedOverChain {
  let kept = fewestSteps(genesis, before?.blocks ?? []);
  return {
    async to(target) {
      const known = kept;
      const from = known.filter(({ trusted }) => trusted.height < target.header.height);
      const trusted = from.at(-1)?.trusted ?? genesis;
      const trace = await verifyByHalving(trusted, target, source, verifyHandedOver);
      const isNewest = kept === known && from.length === known.length;
      if (isNewest && trace.length > 1 && from.length < MAX_KEPT) {
        kept = fewestSteps(genesis, [...from, ...trace.slice(0, -1)]);
        before?.keep(kept);
      }
      return fewestSteps(genesis, [...from, ...trace]);
    },
  };
}
