import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeOpenProposal, encodeRotateKey, possessionMessage } from '../src/contracts/index.ts';
import { openEmbeddedEngine } from '../src/engine/index.ts';
import { SAMPLE_TIME_MS, sampleChain, sampleSigner, signedAction } from '../src/engine/sample-chain.ts';
import { createKeyHistory } from '../src/node/ledger/key-history.ts';

test('the keys of an organisation that was admitted by vote are found, or it would get out of what it signed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-admitted-'));
  const chain = sampleChain();
  const { chainId, custodian, genesis, operatorSeed } = chain;
  let nowMs = SAMPLE_TIME_MS;
  const clock = { now: () => (nowMs += 1000) };
  const engine = await openEmbeddedEngine({ folder, genesis, operatorSeed, ...clock, verifyWorkers: 0 });
  try {
    const [late, next] = [sampleSigner(1, 'late'), sampleSigner(1, 'late, next key')];
    const proofOf = ({ publicKey, privateKey }: typeof late, registrar: Uint8Array): Uint8Array =>
      new Uint8Array(sign(null, possessionMessage(chainId, registrar, publicKey), privateKey));
    const { publicKey } = late;
    const possessionProof = proofOf(late, custodian.accountId);
    const registration = { publicKey, possessionProof, roles: ['hospital'] } as const;
    const change = { kind: 'admit-organisation', registration } as const;
    const proposal = encodeOpenProposal({ lastHeight: 100, change });
    await engine.submit(signedAction(chain, custodian, 'open-proposal', [proposal]));
    const rotation = { newKey: next.publicKey, possessionProof: proofOf(next, late.accountId) };
    const rotated = await engine.submit(signedAction(chain, late, 'rotate-key', [encodeRotateKey(rotation)]));
    assert.equal(rotated.code, 0);
    const keys = createKeyHistory(engine, genesis);
    assert.deepEqual(await keys.firstKeyOf(late.accountId), publicKey);
    assert.deepEqual((await keys.rotationsOf(late.accountId))[0]?.newKey, next.publicKey);
    assert.equal(await keys.firstKeyOf(sampleSigner(1, 'nobody').accountId), undefined);

    const proposed = sampleSigner(1, 'proposed and not admitted');
    const draft = { publicKey: proposed.publicKey, possessionProof: proofOf(proposed, custodian.accountId) };
    const open = encodeOpenProposal({
      lastHeight: 100,
      change: { kind: 'admit-organisation', registration: { ...draft, roles: ['hospital'] } },
    });
    const opened = await engine.submit(signedAction(chain, custodian, 'open-proposal', [open]));
    assert.equal(opened.code, 0);
    assert.equal(await keys.firstKeyOf(proposed.accountId), undefined);
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true });
  }
});
