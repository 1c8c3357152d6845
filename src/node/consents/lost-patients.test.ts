import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createLostPatients } from './lost-patients.ts';

const [ANA, BRAM] = ['aa'.repeat(32), 'bb'.repeat(32)] as const;

/** A vault that cannot be asked about some, or about anybody. */
function world() {
  const broken = new Set<string>();
  const sizes: number[] = [];
  let failures = 0;
  const stateOf = async () => 'bound' as const;
  const patients = createLostPatients({
    state: { get: () => undefined },
    vault: { grantedConsents: { async *list() {} }, pseudonyms: { stateOf } },
    granted: {
      async of(account) {
        if (broken.has(account)) throw new Error('the database does not answer');
        return [];
      },
    },
    onChange: (size) => void sizes.push(size),
    onFailure: () => {
      failures += 1;
    },
  });
  return { patients, broken, sizes, failures: () => failures };
}

test('who could not be looked up is looked at again by itself, one by one, until it is stopped', async (context) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  context.after(() => mock.timers.reset());
  const { patients, broken, sizes, failures } = world();
  const after = async (ms: number): Promise<number> => {
    mock.timers.tick(ms);
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    await patients.settled();
    return patients.size;
  };
  broken.add(ANA).add(BRAM);
  patients.granted(ANA);
  patients.granted(BRAM);
  await patients.settled();
  assert.equal(patients.size, 2, 'closed to who might be one of them');
  broken.delete(BRAM);
  assert.equal(await after(1_000), 1, 'one who still cannot be looked up holds up no other');
  broken.delete(ANA);
  assert.equal(await after(2_000), 0);
  assert.deepEqual([sizes, failures()], [[1, 2, 1, 0], 3]);

  broken.add(ANA);
  patients.granted(ANA);
  await patients.settled();
  await patients.stop();
  assert.equal(await after(600_000), 1);
  assert.equal(failures(), 4);
});
