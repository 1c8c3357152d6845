import { decodeLightBlock, encodeLightBlock, headerHash, type LightBlock } from '../../ledger/index.ts';
import { AppError, fromBase64, fromUtf8, toBase64, toHex } from '../../shared/index.ts';
import { readIfThere, replacePrivate } from '../private-file.ts';
import { openSealedJson, sealJson } from '../sealed-json.ts';
import type { TrustedHeads } from './light-client.ts';
import { isSameBlock } from './light-source.ts';

const FORMAT = 'careledger-light-heads/v1';
const MAX_FILE_BYTES = 16 << 20;
const MAX_CHAINS = 64;

type Blocks = Map<string, LightBlock>;

/** Verified blocks pinned in a file, so that a client that comes back notices a chain that went back or was replaced. */
export function openTrustedHeads(file: string): TrustedHeads {
  let last: Promise<unknown> = Promise.resolve();
  return {
    load: async (chainId) => (await readBlocks(file)).get(toHex(chainId)),
    save(chainId, block) {
      const turn = last.then(() => saveBlock(file, toHex(chainId), block));
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}

async function saveBlock(file: string, chain: string, block: LightBlock): Promise<void> {
  const blocks = await readBlocks(file);
  const pinned = blocks.get(chain);
  if (pinned !== undefined) {
    if (isSameBlock(pinned, block)) return;
    refuseUnlessLater(pinned, block);
  } else if (blocks.size >= MAX_CHAINS)
    throw new AppError(
      'too-many',
      `The file ${file} pins ${MAX_CHAINS} chains already. Remove those you no longer use.`,
    );
  blocks.set(chain, block);
  const heads = [...blocks].map(([name, one]) => [name, toBase64(encodeLightBlock(one))] as const);
  await replacePrivate(file, sealJson({ format: FORMAT, heads: Object.fromEntries(heads) }));
}

function refuseUnlessLater(pinned: LightBlock, offered: LightBlock): void {
  const before = pinned.header.height;
  const { height } = offered.header;
  if (height > before) return;
  const what = height < before ? 'is older than' : 'contradicts';
  throw new AppError(
    'forked-head',
    `The block ${toHex(headerHash(offered.header))} of height ${height} ${what} the one that you have verified before ` +
      `(${toHex(headerHash(pinned.header))} of height ${before}). Keep both.`,
    { cause: { pinned, offered } },
  );
}

/** A file that is damaged is no reason to trust anything: it is an error, never an empty list. */
async function readBlocks(file: string): Promise<Blocks> {
  const bytes = await readIfThere(file);
  if (bytes === undefined) return new Map();
  const blocks = bytes.length > MAX_FILE_BYTES ? undefined : parseBlocks(fromUtf8(bytes) ?? '');
  if (blocks !== undefined) return blocks;
  throw new AppError(
    'damaged',
    `The file of verified blocks ${file} is damaged. Restore it, or remove it if you accept that an older chain goes unnoticed once.`,
  );
}

function parseBlocks(text: string): Blocks | undefined {
  const opened = openSealedJson(text, MAX_FILE_BYTES);
  const heads = opened.ok && opened.value['format'] === FORMAT ? opened.value['heads'] : undefined;
  if (typeof heads !== 'object' || heads === null) return undefined;
  const blocks: Blocks = new Map();
  for (const [chain, encoded] of Object.entries(heads)) {
    const bytes = typeof encoded === 'string' ? fromBase64(encoded) : undefined;
    const block = bytes === undefined ? undefined : decodeLightBlock(bytes);
    if (block?.ok !== true) return undefined;
    blocks.set(chain, block.value);
  }
  return blocks;
}
