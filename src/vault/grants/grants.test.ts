import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { fromUtf8 } from '../../shared/index.ts';
import { openSealedKey } from '../index.ts';
import { createVaultWorld, sampleWrite, type VaultWorld } from '../testing/vault-world.ts';

let world: VaultWorld;
before(async () => {
  world = await createVaultWorld('grants');
});
after(() => world.remove());

function x25519(): { publicKey: Uint8Array; privateKey: Uint8Array } {
  const pair = generateKeyPairSync('x25519');
  return {
    publicKey: new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)),
    privateKey: new Uint8Array(pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)),
  };
}

test('a grantee recovers the category key, and only its own', async () => {
  const [ours, other] = [x25519(), x25519()];
  const sealed = await world.vault.grants.grant({
    subject: 'p',
    category: 'hiv',
    grantee: 'aa',
    publicKey: ours.publicKey,
  });
  await world.vault.put(sampleWrite('granted', { subject: 'p', labels: ['hiv'] }));
  const categoryKey = await openSealedKey(ours.privateKey, sealed);
  const record = await world.vault.read('Observation', 'granted');
  assert.match(fromUtf8((await record?.open({ categoryKey })) ?? new Uint8Array()) ?? '', /granted/);
  await assert.rejects(openSealedKey(other.privateKey, sealed), { code: 'damaged' });
  await assert.rejects(openSealedKey(ours.privateKey, { ...sealed, category: 'general' }), {
    code: 'damaged',
  });
  await assert.rejects(openSealedKey(ours.privateKey, { ...sealed, epoch: 2 }), { code: 'damaged' });
});

test('after a revocation the others get the new key and the revoked one does not', async () => {
  const [stays, goes] = [x25519(), x25519()];
  const grant = (grantee: string, publicKey: Uint8Array) =>
    world.vault.grants.grant({ subject: 'q', category: 'general', grantee, publicKey });
  await grant('stays', stays.publicKey);
  const old = await grant('goes', goes.publicKey);
  await world.vault.grants.revoke('q', 'goes');
  await world.vault.put(sampleWrite('after-revocation', { subject: 'q' }));
  const record = await world.vault.read('Observation', 'after-revocation');
  const keys = await world.vault.grants.list('q', 'general');
  assert.deepEqual(
    keys.map((one) => [one.grantee, one.epoch]),
    [
      ['stays', 1],
      ['stays', 2],
    ],
  );
  const newest = keys.at(-1);
  assert.ok(newest !== undefined && record !== undefined);
  assert.match(
    fromUtf8(await record.open({ categoryKey: await openSealedKey(stays.privateKey, newest) })) ?? '',
    /after-revocation/,
  );
  await assert.rejects(record.open({ categoryKey: await openSealedKey(goes.privateKey, old) }), {
    code: 'damaged',
  });
  assert.match(fromUtf8(await record.open()) ?? '', /after-revocation/);
});

test('what is sealed to the patient opens for nobody else, the custodian included', async () => {
  const patient = x25519();
  const write = sampleWrite('secret', { subject: 'r', labels: ['hiv', 'sealed'] });
  await assert.rejects(world.vault.put(write), { code: 'record-sealed' });
  await world.vault.bindings.put({ patientId: 'r', accountId: 'acc-r', sealingPublicKey: patient.publicKey });
  await world.vault.put(write);
  await world.vault.put(sampleWrite('secret', { subject: 'r', labels: ['sealed'] }, 2));
  for (const again of [false, true]) {
    const vault = again ? await world.reopen() : world.vault;
    const record = await vault.readVersion({ resourceType: 'Observation', id: 'secret', version: 1 });
    assert.deepEqual([record?.category, record?.labels], ['sealed', ['hiv', 'sealed']]);
    await assert.rejects(async () => record?.open(), { code: 'record-sealed' });
    const found = await vault.find({
      types: ['Observation'],
      where: { token: { param: 'code', kind: 'code', value: 'blood-pressure' } },
      subjects: { allow: ['r'] },
    });
    assert.deepEqual(found, []);
    const keys = await vault.grants.list('r', 'sealed');
    assert.deepEqual(
      keys.map((one) => one.epoch),
      [1, 2],
    );
    const [first] = keys;
    assert.ok(first !== undefined && record !== undefined);
    assert.match(
      fromUtf8(await record.open({ categoryKey: await openSealedKey(patient.privateKey, first) })) ?? '',
      /version 1/,
    );
  }
  await assert.rejects(
    world.vault.grants.grant({
      subject: 'r',
      category: 'sealed',
      grantee: 'x',
      publicKey: patient.publicKey,
    }),
    { code: 'record-sealed' },
  );
});

test('grants and sealed records survive the erasure of another record of the patient', async () => {
  const grantee = x25519();
  await world.vault.grants.grant({
    subject: 's',
    category: 'hiv',
    grantee: 'g',
    publicKey: grantee.publicKey,
  });
  await world.vault.put(sampleWrite('erase-me', { subject: 's', labels: ['hiv'] }));
  await world.vault.put(sampleWrite('keep-me', { subject: 's', labels: ['hiv'] }));
  await world.vault.erase({ resourceType: 'Observation', id: 'erase-me' });
  const newest = (await world.vault.grants.list('s', 'hiv')).at(-1);
  const record = await world.vault.read('Observation', 'keep-me');
  assert.ok(newest !== undefined && record !== undefined);
  assert.match(
    fromUtf8(await record.open({ categoryKey: await openSealedKey(grantee.privateKey, newest) })) ?? '',
    /keep-me/,
  );
  await world.vault.erase({ resourceType: 'Observation', id: 'secret' });
  for await (const finding of world.vault.audit()) assert.fail(JSON.stringify(finding));
});

test('a key that is no X25519 key is refused', async () => {
  const grant = { subject: 'p', category: 'general', grantee: 'z' } as const;
  await assert.rejects(world.vault.grants.grant({ ...grant, publicKey: new Uint8Array(31) }), {
    code: 'invalid-request',
  });
  await assert.rejects(world.vault.grants.grant({ ...grant, publicKey: new Uint8Array(32) }), {
    code: 'invalid-request',
  });
});
