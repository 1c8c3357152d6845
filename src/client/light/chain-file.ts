import {
  chainIdOf,
  decodeLightBlock,
  encodeLightBlock,
  type Genesis,
  type LightBlock,
  trustConsortium,
  type VerifiedBlock,
  verifyHandedOver,
} from '../../ledger/index.ts';
import { fromBase64, toBase64, toHex } from '../../shared/index.ts';
import { openSealedJson, sealJson } from '../sealed-json.ts';

const FORMAT = 'careledger-chain/v1';
const MAX_CHARACTERS = 64 << 20;

/** A text that keeps the blocks which lead from a genesis to a later block, each handed over by the one before it. */
export function formatChainFile(genesis: Genesis, blocks: readonly LightBlock[]): string {
  const encoded = blocks.map((block) => toBase64(encodeLightBlock(block)));
  return sealJson({ format: FORMAT, chain: toHex(chainIdOf(genesis)), blocks: encoded });
}

/** The blocks of such a text, verified again from the genesis; undefined where anything of it does not hold. */
export function openChainFile(genesis: Genesis, text: string): VerifiedBlock[] | undefined {
  const opened = openSealedJson(text, MAX_CHARACTERS);
  if (!opened.ok) return undefined;
  const { format, chain, blocks } = opened.value;
  const isOurs = format === FORMAT && chain === toHex(chainIdOf(genesis)) && Array.isArray(blocks);
  return isOurs ? verified(genesis, blocks) : undefined;
}

function verified(genesis: Genesis, blocks: readonly unknown[]): VerifiedBlock[] | undefined {
  const beginning = trustConsortium(genesis);
  if (!beginning.ok) return undefined;
  let trusted = beginning.value;
  const trace: VerifiedBlock[] = [];
  for (const encoded of blocks) {
    const bytes = typeof encoded === 'string' ? fromBase64(encoded) : undefined;
    const block = bytes === undefined ? undefined : decodeLightBlock(bytes);
    const step = block?.ok === true ? verifyHandedOver(trusted, block.value) : undefined;
    if (step?.ok !== true) return undefined;
    trace.push(step.value);
    trusted = step.value.trusted;
  }
  return trace;
}
