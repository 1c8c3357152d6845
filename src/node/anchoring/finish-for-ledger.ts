import { AppError } from '../../shared/index.ts';
import type { PartsOfNode } from '../runtime.ts';
import { recordErasures } from './record-erasures.ts';

type Starting = PartsOfNode<'consortium' | 'recordAnchor' | 'engine' | 'vault' | 'custodian' | 'log'>;

/** Puts on the ledger what a crash left between it and the vault. Call at a start, before anything is written. */
export async function finishForLedger(node: Starting): Promise<void> {
  await anchorLeftOvers(node);
  await recordLeftErasures(node);
}

/** A consortium may have no majority yet: then it is anchored when it has. */
async function anchorLeftOvers({ consortium, recordAnchor }: Starting): Promise<void> {
  while ((await recordAnchor.takeOver()) > 0) {
    const anchored = recordAnchor.anchorLeftOvers();
    if (consortium !== undefined) return void anchored.catch(() => undefined);
    try {
      await anchored;
    } catch (cause) {
      if (isRefusal(cause)) return;
      await recordAnchor.stop();
      throw cause;
    }
  }
}

/** Erasures that were cut short, after what they erased was anchored or is not to be any more. */
async function recordLeftErasures(node: Starting): Promise<void> {
  const recorded = recordErasures(node).catch((cause: unknown) => {
    node.log.write('error', 'erasures-not-recorded');
    if (node.consortium === undefined && !isRefusal(cause)) throw cause;
  });
  if (node.consortium === undefined) await recorded;
}

/** A node starts all the same: what the ledger refuses is logged, stays left over, and is counted by a gauge. */
function isRefusal(cause: unknown): boolean {
  return cause instanceof AppError && cause.code === 'transaction-refused';
}
