import { AppError, equalBytes, fromBase64, fromUtf8, toBase64, utf8 } from '../../shared/index.ts';
import type { SqlRow, SqlSession } from '../storage/sql-store.ts';
import { openEntry, putCommonEntry, writeWithKeys } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';
import type { AccessAnchor } from './access-log.ts';

const TAB = 'access-anchor';

export type Anchors = {
  newest(): Promise<AccessAnchor | undefined>;
  covering(leafIndex: number): Promise<AccessAnchor | undefined>;
  add(anchor: AccessAnchor): Promise<void>;
};

/** The anchored sizes, in the vault's tables. A size is no secret: it is the name, so that the rows sort by it. */
export function createAnchors(
  context: VaultContext,
  rootOf: (size: number) => Uint8Array,
  size: () => number,
): Anchors {
  const first = async (rows: Promise<SqlRow[]>): Promise<AccessAnchor | undefined> => {
    const [row] = await rows;
    return row && decode(await openEntry(context, row));
  };
  const { reader } = context.store;
  return {
    newest: () => first(reader.all('SELECT * FROM entries WHERE tab = ? ORDER BY name DESC LIMIT 1', [TAB])),
    covering: (leafIndex) =>
      first(
        reader.all('SELECT * FROM entries WHERE tab = ? AND name > ? ORDER BY name LIMIT 1', [
          TAB,
          nameOf(leafIndex),
        ]),
      ),
    add: async (anchor) => {
      if (anchor.size > size() || !equalBytes(rootOf(anchor.size), anchor.root)) {
        throw new AppError(
          'conflict',
          'This anchor is not of this access log. Check which node anchored it.',
        );
      }
      const entry = { tab: TAB, name: nameOf(anchor.size), value: encode(anchor) };
      await writeWithKeys(context, (session) => putCommonEntry(context, session, entry, 'keep'));
    },
  };
}

/** Throws AppError `damaged` when the log is not the one that was anchored. */
export async function assertAnchored(
  anchors: Anchors,
  rootOf: (size: number) => Uint8Array,
  size: number,
): Promise<void> {
  const newest = await anchors.newest();
  if (newest === undefined) return;
  if (newest.size > size) {
    throw new AppError(
      'damaged',
      `The access log has ${size} entries, but ${newest.size} are anchored: entries are missing. Restore the last backup to a new folder.`,
    );
  }
  if (!equalBytes(rootOf(newest.size), newest.root)) {
    throw new AppError(
      'damaged',
      `The first ${newest.size} entries of the access log are not those that were anchored. Restore the last backup to a new folder.`,
    );
  }
}

/** Those that cover more entries are no longer anchors. */
export async function forgetAnchorsAfter(session: SqlSession, size: number): Promise<void> {
  await session.run('DELETE FROM entries WHERE tab = ? AND name > ?', [TAB, nameOf(size)]);
}

function nameOf(size: number): Uint8Array {
  const name = new Uint8Array(16);
  new DataView(name.buffer).setBigUint64(8, BigInt(size));
  return name;
}

function encode(anchor: AccessAnchor): Uint8Array {
  return utf8(JSON.stringify([anchor.size, toBase64(anchor.root), anchor.height]));
}

function decode(value: Uint8Array): AccessAnchor {
  const [size, root, height] = JSON.parse(fromUtf8(value) ?? '') as [number, string, number];
  return { size, root: fromBase64(root) ?? new Uint8Array(0), height };
}
