import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Amount, FairOrder, type Offered } from './fair-order.ts';

const WHOLE: Amount = { work: 64, bytes: 1_000_000, keyChecks: 32 };
const HALF: Amount = { work: 32, bytes: 500_000, keyChecks: 16 };
/** The work of what a block has one of, beside what is shared out. */
const LARGE = [9, 30, 129];

function offered(
  organisation: string,
  group: string,
  signer: string,
  bytes = 300,
  keyChecks = 0,
  work = 1,
): Offered {
  return {
    bytes: new Uint8Array(0),
    signer: `${organisation} ${group} ${signer}`,
    holder: { organisation, group: `${organisation} ${group}` },
    amount: { work, bytes, keyChecks },
  };
}

const sumOf = (chosen: Iterable<Offered>, scarce: keyof Amount): number =>
  [...chosen].reduce((sum, { amount }) => sum + amount[scarce], 0);
const fits = (chosen: Iterable<Offered>, most: Amount): boolean =>
  (['work', 'bytes', 'keyChecks'] as const).every((scarce) => sumOf(chosen, scarce) <= most[scarce]);

const waiting = fc.array(
  fc
    .tuple(
      fc.constantFrom('a', 'b', 'c'),
      fc.constantFrom('organisation', 'patients'),
      fc.constantFrom('1', '2', '3', '4', '5'),
      fc.constantFrom(300, 3_000, 280_000),
      fc.constantFrom(0, 1, 12),
      fc.constantFrom(1, 1, 5, ...LARGE),
    )
    .map((fields) => offered(...fields)),
  { maxLength: 300 },
);

test('what is chosen fits, is the first of each signer, is the same each time, and leaves out nothing that would fit', () => {
  fc.assert(
    fc.property(waiting, fc.constantFrom(WHOLE, HALF), (all, most) => {
      const choose = (): Set<Offered> => {
        const order = new FairOrder(WHOLE);
        return most === WHOLE ? order.choose(all) : order.chooseFirst(all, most);
      };
      const chosen = choose();
      const beside =
        most === WHOLE ? [...chosen].find(({ amount }) => LARGE.includes(amount.work)) : undefined;
      const fitting = (one?: Offered): boolean => {
        const shared = new Set([...chosen, ...(one === undefined ? [] : [one])]);
        const work = sumOf(shared, 'work') - (beside?.amount.work ?? 0);
        return work <= most.work && fits(shared, { ...most, work: Number.MAX_SAFE_INTEGER });
      };
      assert(fitting());
      assert.deepEqual([...choose()], [...chosen]);
      for (const signer of new Set(all.map((one) => one.signer))) {
        const line = all.filter((one) => one.signer === signer);
        const count = line.filter((one) => chosen.has(one)).length;
        const isFirst = line.every((one, index) => chosen.has(one) === index < count);
        assert(isFirst);
        const next = line[count];
        assert(next === undefined || !fitting(next));
      }
    }),
    { numRuns: 100, seed: 1 },
  );
});

/** What goes first, some of all that waits, and then what is chosen of the rest. */
function packed(
  all: readonly Offered[],
  isUrgent: (one: Offered) => boolean,
): readonly [Set<Offered>, Offered[]] {
  const order = new FairOrder(WHOLE);
  const first = order.chooseFirst(all.filter(isUrgent), HALF);
  const rest = all.filter((one) => !first.has(one));
  return [new Set([...first, ...order.choose(rest)]), rest];
}

test('whatever waits and whatever is urgent, what has waited longest of the rest is in the next block', () => {
  fc.assert(
    fc.property(waiting, fc.nat(31), (all, urgent) => {
      const [block, rest] = packed(all, ({ signer }) => (urgent >> Number(signer.at(-1))) % 2 === 1);
      const [oldest] = rest;
      assert(oldest === undefined || block.has(oldest));
    }),
    { numRuns: 200, seed: 1 },
  );
});

/** What one group sends to keep out others, of any size, each by one of some signers. */
const flood = fc.array(
  fc.record({
    signer: fc.nat(300),
    bytes: fc.constantFrom(300, 100_000),
    keyChecks: fc.constantFrom(0, 1),
    work: fc.constantFrom(1, 5, ...LARGE),
  }),
  { minLength: 100, maxLength: 400 },
);

test('whatever a patient or a device floods with, urgent or not, its own organisation is in the next block while others are busy', () => {
  fc.assert(
    fc.property(
      flood,
      fc.constantFrom('patients', 'staff'),
      fc.nat(400),
      fc.nat(1),
      fc.boolean(),
      (sent, group, place, signers, isUrgent) => {
        const junk = sent.map(({ signer, bytes, keyChecks, work }) =>
          offered('a', group, `${signers === 0 ? 0 : signer}`, bytes, keyChecks, work),
        );
        const busy = Array.from({ length: 200 }, (_, at) => offered('b', 'staff', `${at % 40}`));
        const anchor = offered('a', 'organisation', 'itself');
        const all = [...junk, ...busy].toSpliced(place, 0, anchor);
        const [block] = packed(all, (one) => isUrgent && junk.includes(one));
        assert(block.has(anchor));
        assert(busy.some((one) => block.has(one)));
      },
    ),
    { numRuns: 100, seed: 1 },
  );
});

test('whatever one organisation floods with, what another sends is in the next block, urgent or not', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.nat(400),
          fc.constantFrom(300, 280_000),
          fc.constantFrom(0, 1),
          fc.constantFrom(1, ...LARGE),
        ),
        {
          minLength: 200,
          maxLength: 600,
        },
      ),
      fc.nat(600),
      fc.boolean(),
      (junk, place, isUrgent) => {
        const flood = junk.map(([signer, ...amounts]) => offered('a', 'staff', `${signer}`, ...amounts));
        const anchor = offered('b', 'organisation', 'itself');
        const enrolment = offered('b', 'organisation', 'itself', 400, 1);
        const all = flood.toSpliced(place, 0, anchor, enrolment);
        const [block] = packed(all, ({ holder }) => isUrgent && holder.organisation === 'a');
        assert(block.has(anchor) && block.has(enrolment));
      },
    ),
    { numRuns: 100, seed: 1 },
  );
});

test('each organisation that has enough waiting gets as much of a block, whatever it is that it takes', () => {
  const many = (count: number, of: () => Offered): Offered[] => Array.from({ length: count }, of);
  const whole = { work: 900, bytes: 900_000, keyChecks: 90 };
  const all = [
    ...many(900, () => offered('small', 'organisation', '1', 100)),
    ...many(90, () => offered('large', 'organisation', '1', 10_000)),
    ...many(90, () => offered('keys', 'patients', '1', 100, 1)),
  ];
  const chosen = [...new FairOrder(whole).choose(all)];
  const countOf = (name: string): number =>
    chosen.filter(({ holder }) => holder.organisation === name).length;
  assert(countOf('small') >= 290 && countOf('large') >= 29 && countOf('keys') >= 29);
});

test('within an organisation each group, and within a group each signer, has its turn', () => {
  const flood = Array.from({ length: 200 }, (_, at) => offered('a', 'staff', `${at % 4}`));
  const patients = Array.from({ length: 30 }, (_, at) => offered('a', 'patients', `${at}`));
  const late = offered('a', 'staff', 'another');
  const chosen = new FairOrder(WHOLE).choose([...flood, ...patients, late]);
  assert(patients.every((one) => chosen.has(one)));
  assert(chosen.has(late));
});
