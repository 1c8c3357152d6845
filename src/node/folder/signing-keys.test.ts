import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readSigningKeys, writeSigningKeys } from './signing-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-signing-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'signing.json');
const KEYS = { operatorSeed: new Uint8Array(32).fill(1), custodianSeed: new Uint8Array(32).fill(2) };
const COMPOSED = 'caf\u00e9 horse';
const DECOMPOSED = 'cafe\u0301 horse';

test('one passphrase composed in two ways is one passphrase; another opens nothing', () => {
  writeSigningKeys(path, KEYS, DECOMPOSED);
  for (const passphrase of [COMPOSED, DECOMPOSED]) assert.deepEqual(readSigningKeys(path, passphrase), KEYS);
  assert.throws(() => readSigningKeys(path, 'cafe horse'), { code: 'wrong-passphrase' });
  const file = JSON.parse(readFileSync(path, 'utf8')) as { sealed: string };
  const sealed = Buffer.from(file.sealed, 'base64');
  sealed[3] = (sealed[3] as number) ^ 1;
  writeFileSync(path, JSON.stringify({ ...file, sealed: sealed.toString('base64') }));
  assert.throws(() => readSigningKeys(path, COMPOSED), { code: 'wrong-passphrase' });
});

test('a file made from a passphrase as it was typed opens', () => {
  const made = [
    {
      passphrase: 'correct horse',
      salt: 'KFPYuZ5eQTPK3DQ7igzSew==',
      nonce: 'yWkKKeuwuazGkjis',
      sealed:
        '8dR6iPMHVQAQ3cdU4Wum1bRMvTOqXCN2dw1j9R0bhN+XazUFjLS/Y8DSdbzHqXVGBS/mK9fkHy2vMn/VeSS4kjCU3vRYsPsegqp0P1YD+kw=',
    },
    {
      passphrase: DECOMPOSED,
      salt: 'zKWLeExJVWO/vG9iqefSpw==',
      nonce: 'M86xyKcrVH+2sjvo',
      sealed:
        'xxfnJwm5wTQDlQjJoB4H8MqauCbsWZUY4PPM5PDO0ufONAlSXtIuHHuDrfzP685cBEJJ+UVMCLvSS75KxEGLY9Ncb70wBKvafyOmFwzkLSU=',
    },
  ];
  for (const { passphrase, ...file } of made) {
    writeFileSync(path, JSON.stringify({ format: 'careledger-signing-keys/v1', ...file }));
    assert.deepEqual(readSigningKeys(path, passphrase), KEYS);
  }
});
