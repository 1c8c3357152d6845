import assert from 'node:assert/strict';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { fromUtf8, utf8 } from '../../shared/index.ts';
import { openVault } from '../index.ts';
import { createVaultWorld, NOW_MS, type VaultWorld } from '../testing/vault-world.ts';

let world: VaultWorld;
before(async () => {
  world = await createVaultWorld('tables');
});
after(() => world.remove());

const wallet = (number: number) => ({
  accountId: `wallet-${number}`,
  sealingPublicKey: new Uint8Array(32).fill(number),
});

const neverOnLedger = () => false;

test('an enrolment code works once and until it expires', async () => {
  const { enrolmentCodes, bindings } = world.vault;
  await enrolmentCodes.issue({ code: 'ABCD-1', patientId: 'p1', expiresAtMs: NOW_MS + 100 });
  await enrolmentCodes.issue({ code: 'ABCD-2', patientId: 'p2', expiresAtMs: NOW_MS + 100 });
  assert.equal(await enrolmentCodes.redeem('ABCD-9', NOW_MS, wallet(0), neverOnLedger), undefined);
  const redeemed = await Promise.all(
    Array.from({ length: 5 }, (_, at) =>
      enrolmentCodes.redeem('ABCD-1', NOW_MS + 99, wallet(at), neverOnLedger),
    ),
  );
  assert.deepEqual(
    redeemed.filter((one) => one !== undefined),
    [{ patientId: 'p1' }],
  );
  assert.equal(await enrolmentCodes.peek('ABCD-2', NOW_MS + 100), undefined);
  assert.equal(await enrolmentCodes.redeem('ABCD-2', NOW_MS + 100, wallet(9), neverOnLedger), undefined);
  assert.deepEqual(await bindings.byPatient('p1'), { patientId: 'p1', ...wallet(0) });
  assert.equal(await bindings.byAccount('wallet-1'), undefined);

  await enrolmentCodes.issue({ code: 'ABCD-3', patientId: 'p3', expiresAtMs: NOW_MS + 100 });
  const ofAnother = enrolmentCodes.redeem('ABCD-3', NOW_MS, wallet(0), neverOnLedger);
  await assert.rejects(ofAnother, { code: 'conflict' });
  assert.deepEqual(await enrolmentCodes.redeem('ABCD-3', NOW_MS, wallet(3), neverOnLedger), {
    patientId: 'p3',
  });
});

test('a patient has one code: a newer one takes its place, and one that was used takes all others with it', async () => {
  const { enrolmentCodes } = world.vault;
  const issue = (code: string, patientId: string) =>
    enrolmentCodes.issue({ code, patientId, expiresAtMs: NOW_MS + 100 });
  await issue('LOST-1', 'p7');
  await issue('OTHER-1', 'p8');
  await issue('SENT-2', 'p7');
  assert.equal(await enrolmentCodes.peek('LOST-1', NOW_MS), undefined);
  assert.equal(await enrolmentCodes.redeem('LOST-1', NOW_MS, wallet(7), neverOnLedger), undefined);
  assert.deepEqual(await enrolmentCodes.redeem('SENT-2', NOW_MS, wallet(7), neverOnLedger), {
    patientId: 'p7',
  });
  assert.deepEqual(await enrolmentCodes.peek('OTHER-1', NOW_MS), { patientId: 'p8' });
});

test('a binding is found from both sides, and an account has one patient', async () => {
  const { bindings } = world.vault;
  const binding = { patientId: 'p1', accountId: 'a1', sealingPublicKey: new Uint8Array(32).fill(7) };
  await bindings.put(binding);
  assert.deepEqual(await bindings.byPatient('p1'), binding);
  assert.deepEqual(await bindings.byAccount('a1'), binding);
  await assert.rejects(bindings.put({ ...binding, patientId: 'p2' }), { code: 'conflict' });
  await bindings.put({ ...binding, accountId: 'a2' });
  assert.equal(await bindings.byAccount('a1'), undefined);
  assert.equal((await bindings.byAccount('a2'))?.patientId, 'p1');
});

test("an account that another took the place of stays known as the patient's, and is nobody else's", async () => {
  const { bindings } = world.vault;
  const bind = (patientId: string, accountId: string) =>
    bindings.put({ patientId, accountId, sealingPublicKey: new Uint8Array(32) });
  await bind('p5', 'first');
  await bind('p5', 'second');
  await bind('p5', 'second');
  assert.deepEqual(await bindings.formerAccounts('p5'), ['first']);
  assert.deepEqual(await bindings.formerAccounts('p6'), []);
  assert.equal(await bindings.patientEver('first'), 'p5');
  assert.equal(await bindings.patientEver('second'), 'p5');
  assert.equal(await bindings.patientEver('third'), undefined);
  await assert.rejects(bind('p6', 'first'), { code: 'conflict' });
  await bind('p5', 'first');
  assert.deepEqual(await bindings.formerAccounts('p5'), ['second']);
  assert.equal((await bindings.byAccount('first'))?.patientId, 'p5');
});

test('consents keep every version, each as it was last stored', async () => {
  const { consents } = world.vault;
  const stored = (consentId: string, version: number, text: string) =>
    ({ consentId, version, patientId: 'p1', salt: new Uint8Array(32), consent: utf8(text) }) as const;
  const onLedger = () => true;
  await consents.put(stored('c1', 1, '{"v":"1"}'), onLedger);
  await consents.put(stored('c1', 2, '{"v":"never sent"}'), onLedger);
  await consents.put(stored('c1', 2, '{"v":"2"}'), onLedger);
  await consents.put(stored('c1', 1, '{"v":"1 again"}'), onLedger);
  assert.deepEqual(await consents.get('c1', 1), stored('c1', 1, '{"v":"1 again"}'));
  assert.deepEqual(await consents.get('c1', 2), stored('c1', 2, '{"v":"2"}'));
  assert.equal(await consents.get('c1', 3), undefined);
});

test('of terms that the ledger has not, the newest hundred of a patient are kept', async () => {
  const { consents } = world.vault;
  const onLedger = new Set<string>();
  const put = (patientId: string, consentId: string) =>
    consents.put(
      { consentId, version: 1, patientId, salt: new Uint8Array(32), consent: utf8('{}') },
      (id, version) => version === 1 && onLedger.has(id),
    );
  const isKept = async (consentId: string) => (await consents.get(consentId, 1)) !== undefined;
  await put('w2', 'of another patient');
  for (const id of ['granted later', 'first', 'second']) await put('w1', id);
  onLedger.add('granted later').add('granted before');
  await put('w1', 'granted before');
  for (let number = 0; number < 98; number++) await put('w1', `never sent ${number}`);
  await put('w1', 'first');
  assert.ok(await isKept('second'), 'what is stored again takes no second place');
  await put('w1', 'one more');
  assert.ok(!(await isKept('second')), 'the oldest goes');
  for (const id of [
    'first',
    'never sent 0',
    'one more',
    'granted later',
    'granted before',
    'of another patient',
  ])
    assert.ok(await isKept(id), id);
});

test('granted consents are kept by pseudonym, once each, with the height they are complete to', async () => {
  const many = Array.from({ length: 600 }, (_, number) => ({ account: 'a1', consentId: `c${number}` }));
  assert.equal(await world.vault.grantedConsents.height(), 0);
  await world.vault.grantedConsents.add(many.slice(0, 500), 7);
  await world.vault.grantedConsents.add([...many.slice(400), { account: 'a2', consentId: 'd' }], 9);
  await world.reopen();
  const { grantedConsents } = world.vault;
  assert.deepEqual(
    await grantedConsents.of('a1'),
    many.map(({ consentId }) => consentId),
  );
  assert.deepEqual(await grantedConsents.of('a2'), ['d']);
  assert.deepEqual(await grantedConsents.of('a3'), []);
  assert.equal(await grantedConsents.height(), 9);
  const counts = new Map<string, number>();
  for await (const { account, consentIds } of grantedConsents.list())
    counts.set(account, (counts.get(account) ?? 0) + consentIds.length);
  assert.deepEqual([...counts].sort(), [
    ['a1', 600],
    ['a2', 1],
  ]);
  assert.equal(await grantedConsents.isWhole(), true);
});

test('others have their turn while somebody works long on the granted consents', async (t) => {
  let nowMs = 0;
  t.mock.method(performance, 'now', () => (nowMs += 20));
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const turnsAtPage: number[] = [];
  for await (const _ of world.vault.grantedConsents.list()) turnsAtPage.push(turns);
  isOver = true;
  assert.ok(turnsAtPage.length > 2);
  assert.deepEqual(turnsAtPage, [...new Set(turnsAtPage)], 'between any two pages');
});

test('granted consents of which a row is missing or an older one are begun anew', async () => {
  const path = join(world.folder, 'vault.db');
  const grant = { account: 'b1', consentId: 'e1' };
  const state = async () => {
    const { grantedConsents } = world.vault;
    return [await grantedConsents.isWhole(), await grantedConsents.height(), await grantedConsents.of('b1')];
  };
  await world.vault.grantedConsents.add([grant], 11);
  await world.vault.close();
  copyFileSync(path, `${path}.older`);
  world.vault = await openVault(world.options);
  await world.vault.grantedConsents.add([{ ...grant, consentId: 'e2' }], 12);
  const changes = [
    "DELETE FROM entries WHERE tab = 'granted-consents' AND (SELECT COUNT(*) FROM older.entries) > 0",
    `UPDATE entries SET value = (SELECT value FROM older.entries o WHERE o.tab = entries.tab AND o.name = entries.name)
      WHERE tab = 'granted-consents'`,
    "DELETE FROM entries WHERE tab = 'granted-consents-height'",
  ];
  for (const sql of changes) {
    await world.vault.grantedConsents.add([grant, { ...grant, consentId: 'e2' }], 12);
    assert.deepEqual(await state(), [true, 12, ['e1', 'e2']]);
    await world.vault.close();
    rmSync(`${path}.seal`);
    const database = new DatabaseSync(path);
    database.exec(`ATTACH '${path}.older' AS older`);
    assert.ok(database.prepare(sql).run().changes > 0, sql);
    database.close();
    world.vault = await openVault(world.options);
    assert.equal(await world.vault.grantedConsents.isWhole(), false, sql);
    await world.vault.grantedConsents.beginAnew();
    assert.equal(await world.vault.grantedConsents.height(), 0, 'all blocks are to be taken in anew');
  }
});

test('a pseudonym is bound, rightly unbound, or lost', async () => {
  const { bindings, pseudonyms } = world.vault;
  const binding = { patientId: 'q1', accountId: 'c1', sealingPublicKey: new Uint8Array(32).fill(7) };
  assert.equal(await pseudonyms.stateOf('c1'), 'lost');
  await pseudonyms.announce('c1');
  assert.equal(await pseudonyms.stateOf('c1'), 'announced', 'an enrolment may be cut short');
  await pseudonyms.giveUp('c1');
  assert.equal(await pseudonyms.stateOf('c1'), 'unbound');
  await bindings.put(binding);
  await pseudonyms.announce('c1');
  await pseudonyms.giveUp('c1');
  await bindings.put({ ...binding, accountId: 'c2' });
  for (const account of ['c1', 'c2']) assert.equal(await pseudonyms.stateOf(account), 'bound', account);
  const drop = async (tab: string): Promise<void> => {
    await world.vault.close();
    rmSync(join(world.folder, 'vault.db.seal'));
    const database = new DatabaseSync(join(world.folder, 'vault.db'));
    assert.ok(database.prepare('DELETE FROM entries WHERE tab = ?').run(tab).changes > 0);
    database.close();
    world.vault = await openVault(world.options);
  };
  await drop('binding-former');
  assert.equal(await world.vault.pseudonyms.stateOf('c1'), 'lost');
  await world.vault.bindings.put({ ...binding, accountId: 'c3' });
  await world.vault.erase({ subject: 'q1' });
  for (const account of ['c2', 'c3']) assert.equal(await world.vault.pseudonyms.stateOf(account), 'unbound');
  await world.vault.bindings.put({ ...binding, patientId: 'q2', accountId: 'c4' });
  await drop('binding-by-patient');
  assert.equal(await world.vault.pseudonyms.stateOf('c4'), 'lost');
});

test('an identifier is used once, until it expires, also after a restart', async () => {
  const use = (nowMs: number) => world.vault.usedIdentifiers.useOnce('jti-1', NOW_MS + 100, nowMs);
  const first = await Promise.all(Array.from({ length: 5 }, () => use(NOW_MS)));
  assert.deepEqual(first.filter(Boolean), [true]);
  await world.reopen();
  assert.equal(await use(NOW_MS + 99), false);
  assert.equal(await use(NOW_MS + 100), true);
});

test('a setting is what it was last set to', async () => {
  assert.equal(await world.vault.settings.get('labels'), undefined);
  await world.vault.settings.set('labels', utf8('one'));
  await world.vault.settings.set('labels', utf8('two'));
  assert.equal(fromUtf8((await world.vault.settings.get('labels')) ?? new Uint8Array()), 'two');
});
