import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePortsInRow, pasteTour } from './support/pasted-tour.ts';

const LIMIT_MS = 540_000;

test('the tour works pasted line by line', { timeout: LIMIT_MS + 30_000 }, async () => {
  const port = await freePortsInRow(1);
  const { output } = await pasteTour({
    page: 'README.md',
    limitMs: LIMIT_MS,
    env: { CARELEDGER_PORT: String(port), CARELEDGER_NODE: `http://127.0.0.1:${port}` },
  });
  assert.match(output('cat start.log'), /CareLedger is ready at http/);
  assert.match(output('careledger read Patient/ana'), /"resourceType": "Patient"/);
  const outsider = 'careledger read Observation/ana-hba1c';
  assert.match(output(outsider), /denied, as it should be/);
  assert.doesNotMatch(output(outsider), /valueQuantity/);
  assert.match(output('careledger wallet enrol'), /Enrolled as Patient\/ana/);
  assert.match(output('careledger consent grant'), /Granted\./);
  assert.match(output(outsider, 1), /"valueQuantity"/);
  assert.match(output('careledger search'), /Condition\/ana-diabetes/);
  assert.doesNotMatch(output('careledger search'), /depress/i);
  assert.match(output('careledger read Condition/ana-depression'), /withheld, as she said/);
  assert.match(output('careledger consent revoke'), /Revoked 1 consent/);
  assert.match(output(outsider, 2), /denied again/);
  assert.match(output('careledger log'), /HRESCH.*ana-hba1c.*DENIED: no-consent/);
  assert.match(output('careledger log'), /HRESCH.*ana-hba1c.*permitted: consent-permits/);
  assert.match(output('careledger verify'), /The proof holds\.[\s\S]*grant-consent/);
  assert.match(output('careledger audit'), /DAMAGED +ledger\/blocks\.log: .*byte \d+[\s\S]*found/);
  assert.match(output('careledger audit', 1), /Ledger and vault are whole/);
});
