import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULT_KINDS, isHalting, MAX_FAULTY, scheduleOf, VALIDATORS } from './faults/schedule.ts';

test('a schedule follows from its seed, and fifty of them hold every fault', () => {
  assert.deepEqual(scheduleOf(7), scheduleOf(7));
  assert.notDeepEqual(scheduleOf(7), scheduleOf(8));
  const schedules = Array.from({ length: 50 }, (_, at) => scheduleOf(at + 1));
  assert.deepEqual([...new Set(schedules.flat().map(({ kind }) => kind))].sort(), [...FAULT_KINDS].sort());
});

test('no more are faulty than consensus bears, but in the one step of a schedule that has to halt', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const steps = scheduleOf(seed);
    assert.equal(steps.filter(isHalting).length, 1);
    for (const step of steps) {
      assert.equal(new Set(step.victims).size, step.victims.length);
      assert.ok(step.victims.every((place) => place >= 0 && place < VALIDATORS));
      assert.equal(step.victims.length, isHalting(step) ? MAX_FAULTY + 1 : MAX_FAULTY);
    }
  }
});
