import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Amount, FairOrder, type Offered } from './fair-order.ts';

const WHOLE: Amount = { work: 64, bytes: 1_000_000, keyChecks: 32 };
const HALF: Amount = { work: 32, bytes: 500_000, keyChecks: 16 };

function offered(organisation: string, group: string, signer: string, bytes = 300, keyChecks = 0): Offered {
  return {
    bytes: new Uint8Array(0),
    signer: `${organisation} ${group} ${signer}`,
    holder: { organisation, group: `${organisation} ${group}` },
    amount: { work: 1, bytes, keyChecks },
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
      fc.constantFrom(0, 1, 20),
    )
    .map((fields) => offered(...fields)),
  { maxLength: 300 },
);

test('what is chosen fits, is the first of each signer, is the same each time, and leaves out nothing that would fit', () => {
  fc.assert(
    fc.property(waiting, fc.constantFrom(WHOLE, HALF), (all, most) => {
      const chosen = new FairOrder(WHOLE).choose(all, most);
      assert(fits(chosen, most));
      assert.deepEqual([...new FairOrder(WHOLE).choose(all, most)], [...chosen]);
      for (const signer of new Set(all.map((one) => one.signer))) {
        const line = all.filter((one) => one.signer === signer);
        const count = line.filter((one) => chosen.has(one)).length;
        const isFirst = line.every((one, index) => chosen.has(one) === index < count);
        assert(isFirst);
        const next = line[count];
        assert(next === undefined || !fits([...chosen, next], most));
      }
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('whatever one organisation floods with, what another sends is in the next block, urgent or not', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.integer({ min: 0, max: 400 }), fc.constantFrom(300, 280_000), fc.constantFrom(0, 1)),
        {
          minLength: 200,
          maxLength: 600,
        },
      ),
      fc.nat(600),
      fc.boolean(),
      (junk, place, isUrgent) => {
        const flood = junk.map(([signer, bytes, keyChecks]) =>
          offered('a', 'staff', `${signer}`, bytes, keyChecks),
        );
        const anchor = offered('b', 'organisation', 'itself');
        const enrolment = offered('b', 'organisation', 'itself', 400, 1);
        const order = new FairOrder(WHOLE);
        const first = order.choose(isUrgent ? flood : [], HALF);
        const rest = flood.filter((one) => !first.has(one));
        const others = order.choose(rest.toSpliced(place, 0, anchor, enrolment));
        assert(others.has(anchor) && others.has(enrolment));
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
