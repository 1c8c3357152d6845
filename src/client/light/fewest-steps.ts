import { isHandedOver, type TrustedBlock, type VerifiedBlock } from '../../ledger/index.ts';

/**
 * Of verified blocks, each handed over by the one before it, those that still lead to the last when every step goes as far as it may: a
 * step left out is replaced by one that was checked. No signature is checked again. Halving visits more blocks than are needed, and a
 * receipt has to hold them all; afterwards any two steps in a row are more than one could be.
 */
export function fewestSteps(from: TrustedBlock, trace: readonly VerifiedBlock[]): VerifiedBlock[] {
  const path: VerifiedBlock[] = [];
  let trusted = from;
  for (let at = 0; at < trace.length; at += 1) {
    const ground = trusted;
    at = Math.max(
      at,
      trace.findLastIndex((later, index) => index > at && isHandedOver(ground, later)),
    );
    const step = trace[at] as VerifiedBlock;
    path.push(step);
    trusted = step.trusted;
  }
  return path;
}
