import assert from 'node:assert/strict';
import { test } from 'node:test';
import { erasureKey } from '../../contracts/index.ts';
import type { Committed } from '../../engine/index.ts';
import { sha256, toHex, utf8 } from '../../shared/index.ts';
import type { ErasedVersions } from '../../vault/index.ts';
import { recordErasures } from './record-erasures.ts';

const ACCOUNT = new Uint8Array(32).fill(1);

const erasedOf = (name: string): ErasedVersions => ({
  erasureRoot: sha256(utf8(name)),
  commitments: [sha256(utf8(`commitment of ${name}`))],
  scope: 'record',
  erasedAtMs: 0,
  pseudonym: null,
});

/** A ledger that takes every erasure, and one at a time, as the signer hands them over. */
function world(erased: readonly ErasedVersions[]) {
  const state = new Set<string>();
  const recorded: string[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const submit = (_: string, [payload]: readonly Uint8Array[], before?: () => Promise<void>) => {
    const turn = last.then(async () => {
      await before?.();
      const root = (payload as Uint8Array).subarray(-32);
      recorded.push(toHex(root));
      state.add(toHex(erasureKey(ACCOUNT, root)));
      return { height: recorded.length } as Committed;
    });
    last = turn.catch(() => undefined);
    return turn;
  };
  const node: Parameters<typeof recordErasures>[0] = {
    engine: { state: { get: (key) => (state.has(toHex(key)) ? key : undefined) } },
    vault: { erased: async () => [...erased] },
    custodian: { accountId: ACCOUNT, submit },
  };
  return { node, recorded };
}

test('two erasures that come to the ledger at once are recorded once each', async () => {
  const erased = ['one', 'other'].map(erasedOf);
  const { node, recorded } = world(erased);
  const heights = await Promise.all([recordErasures(node), recordErasures(node)]);
  const roots = erased.map(({ erasureRoot }) => toHex(erasureRoot));
  assert.deepEqual(recorded, roots);
  assert.deepEqual(
    heights.flatMap((each) => [...each]).sort(),
    roots.map((root, at) => [root, at + 1]).sort(),
  );
});
