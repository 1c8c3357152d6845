import { decodeLightBlock } from '../../ledger/index.ts';
import { AppError } from '../../shared/index.ts';
import type { LightSource } from './light-source.ts';

/** Asks a node for the bytes at a path; undefined where it has nothing there. */
export type AskNode = (path: string) => Promise<Uint8Array | undefined>;

/** A CareLedger node (`/ledger/light-blocks`) as a source of blocks. */
export function nodeSource(name: string, ask: AskNode): LightSource {
  return {
    name,
    async lightBlock(height) {
      const bytes = await ask(`/ledger/light-blocks/${height}`);
      const block = bytes === undefined ? undefined : decodeLightBlock(bytes);
      if (block === undefined || block.ok) return block?.value;
      throw new AppError(
        'node-unreachable',
        `${name} gave an answer about a block that this version does not understand.`,
      );
    },
  };
}
