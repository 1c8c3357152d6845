import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../shared/index.ts';
import { faultText } from './fault.ts';

test('a fault is told by its kind and its place, and nothing of what it was about', () => {
  const error = new TypeError('Cannot read CANARY\n    at CANARY (/records/CANARY.ts:1:1)');
  assert.match(faultText(error), /^TypeError at fault\.test\.ts:\d+$/);
  assert.equal(faultText(new AppError('storage-failed', 'CANARY')), 'storage-failed');
  assert.equal(faultText('CANARY'), 'string');
});
