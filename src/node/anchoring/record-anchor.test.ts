import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ACTIONS } from '../../contracts/index.ts';
import type { RecordedBlock } from '../../engine/index.ts';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import {
  decodeTransaction,
  encodeTransaction,
  RESULT_CODES,
  signTransaction,
  writeAccount,
} from '../../ledger/index.ts';
import { AppError, fromHex, sha256, toHex, utf8 } from '../../shared/index.ts';
import type { PendingCommitment, RecordKey } from '../../vault/index.ts';
import { type AccountSigner, EffectRefusedError } from '../ledger/account-signer.ts';
import { createRecordAnchor } from './record-anchor.ts';

const SEED = new Uint8Array(32).fill(5);
const ACCOUNT = accountIdOf(publicKeyOf(SEED));
const AUTHOR = toHex(new Uint8Array(32).fill(9));

const versionOf = (id: string, author: string | null = null): PendingCommitment => ({
  key: { resourceType: 'Observation', id, version: 1 },
  subject: null,
  commitment: sha256(utf8(id)),
  author,
});

/** What the ledger does with the next submissions; `lost`: it records one, and the answer does not arrive. */
type Mood = 'takes' | 'busy' | 'lost' | 'refuses';

type Code = (typeof RESULT_CODES)[keyof typeof RESULT_CODES];

/** An anchor over a ledger of a changing mood, and a vault whose marks may fail. */
function world(pending: PendingCommitment[] = []) {
  const blocks: Pick<RecordedBlock, 'block' | 'results'>[] = [];
  const marked: string[] = [];
  const state = {
    mood: 'takes' as Mood,
    moodOfAuthors: 'takes' as Mood,
    refused: undefined as PendingCommitment | undefined,
    isDiskFull: false,
    isLate: false,
  };
  const failures: unknown[] = [];
  const values = new Map<string, Uint8Array>();
  const account = { publicKey: publicKeyOf(SEED), nextSequence: 0, isSuspended: false };
  const set = (key: Uint8Array, value: Uint8Array): void => void values.set(toHex(key), value);
  writeAccount({ get: () => undefined, set } as never, fromHex(AUTHOR) as Uint8Array, account);
  const record = (parts: readonly Uint8Array[], code: Code = RESULT_CODES.ok): void => {
    const { contract, action } = ACTIONS['commit-versions'];
    const draft = { contract, action, sequence: 0, lastValidHeight: 1, parts: [...parts] };
    const transaction = signTransaction({ ...draft, chainId: new Uint8Array(32), signer: ACCOUNT }, SEED);
    const height = blocks.length + 1;
    const transactions = [encodeTransaction(transaction)];
    const block = { height, timeMs: 1, previousAppHash: new Uint8Array(32), transactions };
    blocks.push({ block, results: [{ code }] });
  };
  const submit: AccountSigner['submit'] = async (_, parts, before) => {
    if (state.isLate) record(parts);
    await before?.();
    await setImmediate();
    const isOfAuthor = toHex(parts[0] ?? new Uint8Array()).includes(AUTHOR);
    const refused = state.refused && toHex(state.refused.commitment);
    const isRefused = refused !== undefined && parts.some((part) => toHex(part).includes(refused));
    const mood = isRefused ? 'refuses' : isOfAuthor ? state.moodOfAuthors : state.mood;
    if (mood === 'refuses') {
      record(parts, RESULT_CODES['unknown-pseudonym']);
      throw new EffectRefusedError(RESULT_CODES['unknown-pseudonym']);
    }
    if (mood !== 'busy') record(parts);
    if (mood !== 'takes') throw new AppError(mood === 'busy' ? 'busy' : 'unavailable', 'no');
    return undefined as never;
  };
  const anchor = createRecordAnchor({
    engine: {
      state: { get: (key) => values.get(toHex(key)) },
      head: () => ({ height: blocks.length }) as never,
      async *blocks(from = 1) {
        for (const recorded of blocks.slice(from - 1)) yield recorded as RecordedBlock;
      },
    },
    vault: {
      pendingCommitments: async () => pending.splice(0),
      async markAnchored(keys: readonly RecordKey[]) {
        await setImmediate();
        if (state.isDiskFull) throw new AppError('disk-full', 'no');
        marked.push(...keys.map(({ id }) => id));
      },
    },
    bindings: { byPatient: async () => undefined },
    custodian: { accountId: ACCOUNT, submit },
    onFailure: (cause) => void failures.push(cause),
  });
  /** How many entries each transaction on the ledger has. */
  const sizes = (): number[] =>
    blocks.map(({ block }) => {
      const decoded = decodeTransaction(block.transactions[0] as Uint8Array);
      return decoded.ok ? decoded.value.parts.length - 1 : -1;
    });
  const headOfLast = (): string => {
    const decoded = decodeTransaction(blocks.at(-1)?.block.transactions[0] as Uint8Array);
    return decoded.ok ? toHex(decoded.value.parts[0] as Uint8Array) : '';
  };
  return { anchor, marked, state, failures, sizes, headOfLast };
}

const STORED = /is stored here.*do not send it again/i;

test('a version is anchored when it is on the ledger; the mark is waited for at the end', async () => {
  const { anchor, marked, sizes } = world();
  await Promise.all([anchor.anchor([versionOf('a'), versionOf('b')]), anchor.anchor([versionOf('c')])]);
  assert.deepEqual([sizes(), marked], [[3], []]);
  await anchor.stop();
  assert.deepEqual(marked, ['a', 'b', 'c']);
});

test('what the ledger does not take is told to be stored, and goes there when it can, once', async () => {
  const { anchor, marked, state, failures, sizes } = world();
  state.mood = 'busy';
  await assert.rejects(anchor.anchor([versionOf('a'), versionOf('b')]), {
    code: 'timeout',
    message: STORED,
  });
  assert.deepEqual([anchor.leftOver, sizes(), failures.length], [2, [], 1]);
  await assert.rejects(anchor.anchorLeftOvers(), { code: 'busy' });
  assert.equal(anchor.leftOver, 2);

  state.mood = 'takes';
  await anchor.anchor([versionOf('c')]);
  await Promise.all([anchor.anchorLeftOvers(), anchor.anchorLeftOvers(), anchor.anchor([versionOf('d')])]);
  await anchor.anchorLeftOvers();
  await anchor.stop();
  assert.deepEqual(sizes().sort(), [1, 1, 2]);
  assert.deepEqual([anchor.leftOver, marked.sort()], [0, ['a', 'b', 'c', 'd']]);
});

test('what is on the ledger though its answer got lost does not go there again', async () => {
  const { anchor, marked, state, sizes } = world();
  state.mood = 'lost';
  await assert.rejects(anchor.anchor([versionOf('a')]), { code: 'timeout', message: STORED });
  state.mood = 'busy';
  await assert.rejects(anchor.anchor([versionOf('b')]), { code: 'timeout' });
  state.mood = 'takes';
  await anchor.anchorLeftOvers();
  await anchor.stop();
  assert.deepEqual(
    [sizes(), marked],
    [
      [1, 1],
      ['a', 'b'],
    ],
  );
});

test('what arrives on the ledger while it waits to be submitted again does not go there twice', async () => {
  const { anchor, marked, state, sizes } = world();
  state.mood = 'busy';
  await assert.rejects(anchor.anchor([versionOf('a')]), { code: 'timeout' });
  state.mood = 'takes';
  state.isLate = true;
  await anchor.anchorLeftOvers();
  await anchor.stop();
  assert.deepEqual([sizes(), marked], [[1], ['a']]);
});

test('the versions of one author wait for no other', async () => {
  const { anchor, marked, state, sizes } = world();
  state.moodOfAuthors = 'busy';
  const of = (id: string, author: string | null) => anchor.anchor([versionOf(id, author)]);
  const [theirs, ours] = await Promise.allSettled([of('a', AUTHOR), of('b', null)]);
  assert.deepEqual([theirs.status, ours.status], ['rejected', 'fulfilled']);
  state.moodOfAuthors = 'takes';
  await anchor.anchorLeftOvers();
  await anchor.stop();
  assert.deepEqual(
    [sizes(), marked.sort()],
    [
      [1, 1],
      ['a', 'b'],
    ],
  );
});

test('the custodian vouches for versions of an author whom the ledger does not know any more', async () => {
  const { anchor, marked, headOfLast } = world([versionOf('a', toHex(new Uint8Array(32).fill(8)))]);
  await anchor.takeOver();
  await anchor.anchorLeftOvers();
  await anchor.stop();
  assert.deepEqual([marked, headOfLast().startsWith(toHex(ACCOUNT))], [['a'], true]);
});

test('what the ledger recorded a refusal of is not refused again and again', async () => {
  const { anchor, state, sizes, marked } = world([versionOf('a')]);
  state.mood = 'refuses';
  await anchor.takeOver();
  await assert.rejects(anchor.anchorLeftOvers(), { code: 'transaction-refused' });
  state.mood = 'takes';
  await anchor.anchor([versionOf('b')]);
  await anchor.anchorLeftOvers();
  assert.deepEqual([anchor.leftOver, sizes()], [1, [1, 1]]);
  await anchor.stop();
  assert.deepEqual(marked, ['b']);
});

test('one version that the ledger refuses holds up no other that was written at the same time', async () => {
  const { anchor, state, marked } = world();
  state.refused = versionOf('b');
  const all = await Promise.allSettled(['a', 'b', 'c', 'd'].map((id) => anchor.anchor([versionOf(id)])));
  assert.deepEqual(
    all.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
  await anchor.stop();
  assert.deepEqual([marked.sort(), anchor.leftOver], [['a', 'c', 'd'], 1]);
});

test('a mark that fails takes nothing back, and is made later: the version goes on the ledger once', async () => {
  const { anchor, marked, state, sizes } = world();
  state.isDiskFull = true;
  await anchor.anchor([versionOf('a')]);
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
  await assert.rejects(anchor.anchorLeftOvers(), { code: 'disk-full' });
  state.isDiskFull = false;
  await anchor.anchorLeftOvers();
  await anchor.stop();
  assert.deepEqual([sizes(), marked], [[1], ['a']]);
});

test('what a crash left is anchored and marked, or the failure is told', async () => {
  const whole = world([versionOf('a')]);
  await whole.anchor.anchor([versionOf('b')]);
  assert.equal(await whole.anchor.takeOver(), 1);
  await whole.anchor.anchorLeftOvers();
  assert.deepEqual(whole.marked.sort(), ['a', 'b']);
  await whole.anchor.stop();

  const failing = world([versionOf('a')]);
  failing.state.mood = 'busy';
  await failing.anchor.takeOver();
  await assert.rejects(failing.anchor.anchorLeftOvers(), { code: 'busy' });
  await failing.anchor.stop();
});

test('what a crash left after the ledger had taken it is only marked', async () => {
  const pending: PendingCommitment[] = [];
  const { anchor, marked, sizes } = world(pending);
  await anchor.anchor([versionOf('a')]);
  pending.push(versionOf('a'), versionOf('b'));
  assert.equal(await anchor.takeOver(), 2);
  await anchor.anchorLeftOvers();
  await anchor.stop();
  assert.deepEqual(
    [sizes(), marked.sort()],
    [
      [1, 1],
      ['a', 'a', 'b'],
    ],
  );
});

test('it is tried again by itself, at growing distances, until it is stopped', async (context) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  context.after(() => mock.timers.reset());
  const { anchor, state, failures } = world();
  const attemptsWithin = async (ms: number): Promise<number> => {
    const before = failures.length;
    mock.timers.tick(ms);
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    return failures.length - before;
  };
  state.mood = 'busy';
  await assert.rejects(anchor.anchor([versionOf('a')]), { code: 'timeout' });
  const counts: number[] = [];
  for (const ms of [999, 1, 1_999, 1, 3_999, 1]) counts.push(await attemptsWithin(ms));
  assert.deepEqual(counts, [0, 1, 0, 1, 0, 1]);
  for (let round = 0; round < 5; round += 1) await attemptsWithin(60_000);
  assert.equal(await attemptsWithin(59_999), 0, 'never more than a minute apart');
  assert.equal(await attemptsWithin(1), 1);

  state.mood = 'takes';
  await attemptsWithin(60_000);
  assert.equal(anchor.leftOver, 0);
  state.mood = 'busy';
  await assert.rejects(anchor.anchor([versionOf('b')]), { code: 'timeout' });
  assert.equal(await attemptsWithin(1_000), 1, 'and begins anew');
  await anchor.stop();
  assert.equal(await attemptsWithin(600_000), 0);
});
