/** The consortium's tour, as it is written. Needs CometBFT, or Go to build it; skipped where neither is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithoutCometBft as skip } from './support/cometbft-here.ts';
import { freePortsInRow, pasteTour } from './support/pasted-tour.ts';

const LIMIT_MS = 400_000;
/** Of the first organisation, in the page; each has the next ten. */
const FIRST_PORT = 8500;
const PORTS = 40;

test('the consortium’s tour works pasted line by line', { skip, timeout: LIMIT_MS + 30_000 }, async () => {
  const first = await freePortsInRow(PORTS);
  const { output } = await pasteTour({
    page: 'docs/consortium-tour.md',
    limitMs: LIMIT_MS,
    change: (line) => line.replace(/\b85[0-3]0\b/g, (port) => String(Number(port) - FIRST_PORT + first)),
  });
  assert.match(output('cat network.log'), /Northside Hospital[\s\S]*Lakeview Laboratory/);
  assert.match(output('careledger read Observation/ana-hba1c'), /denied, as it should be/);
  assert.match(output('careledger wallet enrol'), /Enrolled as Patient\/ana/);
  assert.match(output('careledger consent grant'), /Granted\./);
  assert.match(output('until careledger read'), /"valueQuantity"/);
  assert.match(output('careledger verify'), /validators signed[\s\S]*grant-consent/);
  assert.match(output('careledger verify'), /Northside Hospital|Riverside Clinic/);
  assert.match(output('until grep'), /Lakeview Laboratory has ended.*3 of 4 go on/);
  assert.match(output('careledger consent revoke'), /Revoked 1 consent/);
  assert.match(output('while careledger read'), /denied again/);
  assert.match(output('careledger govern propose admit'), /1 yes, 0 no of 4 members; 3 yes are needed/);
  assert.match(output('until careledger govern vote', 1), /Carried, and done/);
  assert.match(output('careledger govern propose remove'), /refused, as it should be/);
  assert.match(output('until careledger compare'), /the same at: http/);
  assert.match(output('for name in', 1), /(Stopped\.\n){4}/);
});
