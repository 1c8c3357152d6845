import { headerHash, type LightBlock, type LightError } from '../../ledger/index.ts';
import { equalBytes } from '../../shared/index.ts';

/** Who is asked for blocks: a node, or the RPC of a CometBFT. Nothing that it says is believed without its proof. */
export type LightSource = {
  readonly name: string;
  /** The block of a height; undefined where the source has none of it. Rejects where the source cannot be asked. */
  lightBlock(height: number | 'newest'): Promise<LightBlock | undefined>;
};

/** Why a source was found to lie: its blocks do not hold, or are not those that were asked for. */
export type LieReason =
  | LightError
  | 'wrong-height'
  | 'newest-missing'
  | 'too-many-steps'
  | 'not-on-this-chain';

/** A source that answered what cannot be true. */
export type Liar = { readonly source: string; readonly height: number; readonly reason: LieReason };

/** Ends the verification of what one source says; it never leaves this part. */
export class SourceLied extends Error {
  override readonly name = 'SourceLied';
  readonly liar: Liar;

  constructor(liar: Liar) {
    super(`${liar.source} lied about block ${liar.height} (${liar.reason})`);
    this.liar = liar;
  }
}

/** The block that was asked for, or undefined where the source has none. */
export async function blockAt(source: LightSource, height: number): Promise<LightBlock | undefined> {
  const block = await source.lightBlock(height);
  if (block === undefined || block.header.height === height) return block;
  throw new SourceLied({ source: source.name, height, reason: 'wrong-height' });
}

export function isSameBlock(left: LightBlock, right: LightBlock): boolean {
  return equalBytes(headerHash(left.header), headerHash(right.header));
}
