import type { LightBlock, LightError, TrustedBlock, VerifiedBlock } from '../../ledger/index.ts';
import type { Result } from '../../shared/index.ts';
import { blockAt, type LightSource, SourceLied } from './light-source.ts';

/** Each change of the validators costs a few steps; a source that needs more than this keeps us busy on purpose. */
const MAX_STEPS = 2000;

/** verifyNext within limits, or verifyHandedOver. */
export type VerifyStep = (trusted: TrustedBlock, block: LightBlock) => Result<VerifiedBlock, LightError>;

/**
 * Verifies a later block. Where too few of the trusted validators signed it, the block halfway is verified first, down to the next
 * block. Returns every block on the way, the asked one last.
 */
export async function verifyByHalving(
  from: TrustedBlock,
  target: LightBlock,
  source: LightSource,
  verify: VerifyStep,
): Promise<VerifiedBlock[]> {
  const trace: VerifiedBlock[] = [];
  const ahead = [target];
  let trusted = from;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const next = ahead.at(-1);
    if (next === undefined) return trace;
    const verified = verify(trusted, next);
    if (verified.ok) {
      trace.push(verified.value);
      trusted = verified.value.trusted;
      ahead.pop();
      continue;
    }
    const { height } = next.header;
    if (verified.error !== 'trusted-power-missing' || height <= trusted.height + 1)
      throw new SourceLied({ source: source.name, height, reason: verified.error });
    ahead.push(await halfway(source, trusted.height, height));
  }
  throw new SourceLied({ source: source.name, height: target.header.height, reason: 'too-many-steps' });
}

async function halfway(source: LightSource, low: number, high: number): Promise<LightBlock> {
  const height = low + Math.floor((high - low) / 2);
  const block = await blockAt(source, height);
  if (block !== undefined) return block;
  // Whoever has a block has those before it, unless it pruned them; either way it proves nothing.
  throw new SourceLied({ source: source.name, height, reason: 'trusted-power-missing' });
}
