import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fromUtf8, utf8 } from '../../shared/index.ts';
import type { AuditFinding, SealedRecord, TokenExpression, Vault } from '../index.ts';
import { createVaultWorld, NOW_MS, sampleWrite, type VaultWorld } from './vault-world.ts';

export async function findingsOf(vault: Vault): Promise<AuditFinding[]> {
  const findings: AuditFinding[] = [];
  for await (const finding of vault.audit()) findings.push(finding);
  return findings;
}

export const codeToken = (value: string): TokenExpression => ({
  token: { param: 'code', kind: 'code', value },
});

async function textOf(record: SealedRecord | undefined): Promise<string> {
  assert.ok(record !== undefined);
  return fromUtf8(await record.open()) ?? '';
}

const idsOf = (records: readonly SealedRecord[]) => records.map((record) => record.key.id);

/** What every storage adapter must do alike. `makeUrl` absent: SQLite. */
export function vaultSuite(name: string, makeUrl?: () => Promise<string>): void {
  describe(`a vault on ${name}`, () => {
    let world: VaultWorld;
    let vault: Vault;
    before(async () => {
      world = await createVaultWorld(`suite ${name}`, await makeUrl?.());
      vault = world.vault;
    });
    after(async () => {
      assert.deepEqual(await findingsOf(world.vault), []);
      await world.remove();
    });

    test('gives back what was put, in every version, with metadata before content', async () => {
      const first = await vault.put(sampleWrite('a', { labels: ['hiv', 'R'], author: 'ab' }));
      await vault.put(sampleWrite('a', { plaintext: utf8('second') }, 2));
      const record = await vault.readVersion({ resourceType: 'Observation', id: 'a', version: 1 });
      assert.deepEqual(
        [
          record?.subject,
          record?.labels,
          record?.category,
          record?.author,
          record?.deleted,
          record?.lastUpdatedMs,
        ],
        ['patient-1', ['hiv', 'R'], 'hiv', 'ab', false, NOW_MS + 1],
      );
      assert.deepEqual(Buffer.from(record?.commitment ?? []), Buffer.from(first.commitment));
      assert.match(await textOf(record), /content of a version 1/);
      assert.equal(await textOf(await vault.read('Observation', 'a')), 'second');
      assert.deepEqual(
        (await vault.history({ resourceType: 'Observation', id: 'a' })).map((one) => one.key.version),
        [2, 1],
      );
      assert.equal(await vault.read('Patient', 'a'), undefined);
      assert.equal(
        (await record?.disclose())?.salt.some((byte) => byte !== 0),
        true,
      );
    });

    test('opens content that is too large for a list', async () => {
      const text = 'x'.repeat(10_000);
      await vault.put(sampleWrite('large', { plaintext: utf8(text), subject: 'large' }));
      const [found] = await vault.find({ types: ['Observation'], ids: ['large'] });
      const [listed] = await vault.history({ resourceType: 'Observation', id: 'large' });
      assert.deepEqual([await textOf(found), (await listed?.disclose())?.plaintext], [text, utf8(text)]);
      await vault.erase({ resourceType: 'Observation', id: 'large' });
      await assert.rejects(async () => found?.open(), { code: 'erased' });
    });

    test('refuses a version that does not follow the current one', async () => {
      await vault.put(sampleWrite('conflict'));
      for (const version of [1, 3])
        await assert.rejects(vault.put(sampleWrite('conflict', {}, version)), { code: 'conflict' });
      const racers = await Promise.allSettled(
        Array.from({ length: 8 }, () => vault.put(sampleWrite('conflict', {}, 2))),
      );
      assert.equal(racers.filter((one) => one.status === 'fulfilled').length, 1);
    });

    test('a hundred puts at once are all there after a restart', async () => {
      await Promise.all(
        Array.from({ length: 100 }, (_, at) =>
          vault.put(sampleWrite(`many-${at}`, { subject: `p${at % 7}`, tokens: [] })),
        ),
      );
      vault = await world.reopen();
      for (let at = 0; at < 100; at++)
        assert.match(await textOf(await vault.read('Observation', `many-${at}`)), new RegExp(`many-${at} `));
    });

    test('puts that go together are all there or none, and may follow on each other', async () => {
      const failing = vault.putAll([
        sampleWrite('g1', { subject: 'group-patient' }),
        sampleWrite('g2', {}, 2),
      ]);
      await assert.rejects(failing, { code: 'conflict' });
      assert.equal(await vault.read('Observation', 'g1'), undefined);
      // A key that was made for it is gone with it: the next write makes another.
      await vault.put(sampleWrite('g-alone', { subject: 'group-patient' }));
      assert.match(await textOf(await vault.read('Observation', 'g-alone')), /g-alone/);
      const many = Array.from({ length: 130 }, (_, at) =>
        sampleWrite(`g${at}`, { subject: 'group-patient' }),
      );
      const results = await vault.putAll([...many, sampleWrite('g0', { subject: 'group-patient' }, 2)]);
      assert.equal(results.length, 131);
      assert.equal((await vault.read('Observation', 'g0'))?.key.version, 2);
      assert.match(await textOf(await vault.read('Observation', 'g129')), /g129/);
    });

    test('finds by AND, OR and NOT, within subjects and times, page by page', async () => {
      const tokens = (...values: string[]) => values.map((value) => ({ param: 'tag', kind: 'code', value }));
      const tag = (value: string): TokenExpression => ({ token: { param: 'tag', kind: 'code', value } });
      for (let at = 0; at < 6; at++) {
        const values = [at % 2 === 0 ? 'even' : 'odd', at % 3 === 0 ? 'third' : 'other'];
        await vault.put(
          sampleWrite(`f${at}`, {
            key: { resourceType: 'Condition', id: `f${at}`, version: 1 },
            subject: at < 3 ? 'p-low' : null,
            lastUpdatedMs: NOW_MS + Math.floor(at / 2),
            tokens: tokens(...values),
          }),
        );
      }
      const find = async (where: TokenExpression | undefined, more = {}) =>
        idsOf(await vault.find({ types: ['Condition'], ...(where && { where }), ...more })).sort();
      assert.deepEqual(await find({ all: [tag('even'), tag('third')] }), ['f0']);
      assert.deepEqual(await find({ any: [tag('odd'), tag('third')] }), ['f0', 'f1', 'f3', 'f5']);
      assert.deepEqual(await find({ all: [{ not: tag('even') }, { not: { all: [tag('third')] } }] }), [
        'f1',
        'f5',
      ]);
      assert.deepEqual(await find({ any: [{ all: [tag('even'), tag('third')] }, tag('odd')] }), [
        'f0',
        'f1',
        'f3',
        'f5',
      ]);
      assert.deepEqual(await find({ all: [] }), ['f0', 'f1', 'f2', 'f3', 'f4', 'f5']);
      assert.deepEqual(await find({ any: [] }), []);
      assert.deepEqual(await find(undefined, { subjects: { allow: ['p-low'] } }), ['f0', 'f1', 'f2']);
      assert.deepEqual(await find(undefined, { subjects: { deny: ['p-low'] } }), ['f3', 'f4', 'f5']);
      assert.deepEqual(await find(undefined, { subjects: { allow: [null] } }), ['f3', 'f4', 'f5']);
      assert.deepEqual(await find(undefined, { lastUpdated: { fromMs: NOW_MS + 1, beforeMs: NOW_MS + 2 } }), [
        'f2',
        'f3',
      ]);
      assert.deepEqual(await find(undefined, { ids: ['f4', 'nothing'] }), ['f4']);
      assert.equal(await vault.count({ types: ['Condition'], where: tag('even') }), 3);
      assert.equal(await vault.count({ types: ['Condition', 'Observation'], where: tag('even') }), 3);
    });

    test('pages have a stable order without gaps or repeats', async () => {
      const seen: string[] = [];
      const times: number[] = [];
      let after: { lastUpdatedMs: number; resourceType: string; id: string } | undefined;
      for (;;) {
        const page = await vault.find({ types: ['Condition'], limit: 2, ...(after && { after }) });
        if (page.length === 0) break;
        seen.push(...idsOf(page));
        times.push(...page.map((one) => one.lastUpdatedMs));
        const last = page.at(-1) as SealedRecord;
        after = { lastUpdatedMs: last.lastUpdatedMs, resourceType: last.key.resourceType, id: last.key.id };
      }
      assert.deepEqual([...seen].sort(), ['f0', 'f1', 'f2', 'f3', 'f4', 'f5']);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => b - a),
      );
    });

    test('the history of a type pages on, too', async () => {
      const seen: string[] = [];
      let after: { lastUpdatedMs: number; id: string; version: number } | undefined;
      for (;;) {
        const page = await vault.history({ resourceType: 'Condition', limit: 4, ...(after && { after }) });
        if (page.length === 0) break;
        seen.push(...idsOf(page));
        const last = page.at(-1) as SealedRecord;
        after = { lastUpdatedMs: last.lastUpdatedMs, id: last.key.id, version: last.key.version };
      }
      assert.equal(new Set(seen).size, 6);
      assert.equal(seen.length, 6);
    });

    test('an update is found by its new values only, a tombstone only where tombstones are asked for', async () => {
      const token = (value: string) => [{ param: 'code', kind: 'code', value }];
      await vault.put(sampleWrite('u', { tokens: token('before') }));
      await vault.put(sampleWrite('u', { tokens: token('now') }, 2));
      const found = async (value: string) =>
        idsOf(await vault.find({ types: ['Observation'], where: codeToken(value) }));
      assert.deepEqual([await found('before'), await found('now')], [[], ['u']]);
      await vault.put(
        sampleWrite('u', { tokens: token('now'), deleted: true, plaintext: new Uint8Array(0) }, 3),
      );
      assert.deepEqual(await found('now'), []);
      const query = { types: ['Observation'], where: codeToken('now'), withDeleted: true };
      assert.deepEqual(idsOf(await vault.find(query)), ['u']);
      assert.equal((await vault.read('Observation', 'u'))?.deleted, true);
    });

    test('commitments wait until they are marked as anchored', async () => {
      const pending = await vault.pendingCommitments(100_000);
      assert.ok(pending.some((one) => one.key.id === 'u' && one.key.version === 2));
      await vault.markAnchored(pending.map((one) => one.key));
      assert.deepEqual(await vault.pendingCommitments(), []);
    });

    test('refuses searches that are too large, and pages that are too long', async () => {
      const many = { any: Array.from({ length: 31_000 }, (_, at) => codeToken(String(at))) };
      await assert.rejects(vault.find({ types: ['Observation'], where: many }), { code: 'too-many' });
      await assert.rejects(vault.find({ types: ['Observation'], limit: 1_000_000 }), {
        code: 'invalid-search',
      });
      let deep: TokenExpression = codeToken('x');
      for (let at = 0; at < 200; at++) deep = { all: [deep] };
      await assert.rejects(vault.find({ types: ['Observation'], where: deep }), { code: 'nesting-too-deep' });
    });

    test('a database without a vault is refused where there has to be one', async () => {
      const { openVault } = await import('../index.ts');
      const url = (await makeUrl?.()) ?? `sqlite:${join(world.folder, 'none.db')}`;
      const options = { ...world.options, url, folder: join(world.folder, 'none'), mustExist: true };
      await assert.rejects(openVault(options), { code: 'not-found' });
    });

    test('a new root opens all that was under the old one', async () => {
      await vault.rotateRoot();
      assert.equal(await textOf(await vault.read('Observation', 'a')), 'second');
      vault = await world.reopen();
      assert.equal(await textOf(await vault.read('Observation', 'a')), 'second');
    });

    test('a backup taken in use restores elsewhere; an erasure makes it useless', async () => {
      const { restoreVault, openVault, verifyBackup } = await import('../index.ts');
      await vault.accessLog.append({ subject: 'patient-1', bytes: utf8('seen') });
      const folder = join(world.folder, 'backup');
      await vault.backup(folder);
      for await (const finding of verifyBackup(folder)) assert.fail(finding.where);
      const options = {
        ...world.options,
        url: `sqlite:${join(world.folder, 'restored.db')}`,
        folder: join(world.folder, 'restored'),
      };
      await restoreVault(folder, options);
      const restored = await openVault(options);
      assert.equal(await textOf(await restored.read('Observation', 'a')), 'second');
      assert.deepEqual(
        idsOf(
          await restored.find({
            types: ['Condition'],
            where: { token: { param: 'tag', kind: 'code', value: 'even' } },
          }),
        ).sort(),
        ['f0', 'f2', 'f4'],
      );
      assert.equal(restored.accessLog.size, vault.accessLog.size);
      assert.deepEqual(await findingsOf(restored), []);
      await restored.close();
      await assert.rejects(restoreVault(folder, options), { code: 'folder-not-empty' });
      await vault.erase({ subject: 'p0' });
      const again = {
        ...options,
        url: `sqlite:${join(world.folder, 'again.db')}`,
        folder: join(world.folder, 'again'),
      };
      await assert.rejects(restoreVault(folder, again), { code: 'erased' });
    });

    test('erasing one record leaves its neighbours readable under new keys', async () => {
      await vault.put(sampleWrite('gone', { labels: ['hiv'], subject: 'shared' }));
      await vault.put(sampleWrite('stays', { labels: ['hiv'], subject: 'shared' }));
      await vault.enrolmentCodes.issue({ code: 'code-9', patientId: 'shared', expiresAtMs: NOW_MS + 10 });
      const kept = await vault.read('Observation', 'gone');
      const record = await vault.erase({ resourceType: 'Observation', id: 'gone' });
      assert.equal(record.commitments.length, 1);
      assert.equal(await vault.read('Observation', 'gone'), undefined);
      await assert.rejects(async () => kept?.open(), { code: 'erased' });
      assert.match(await textOf(await vault.read('Observation', 'stays')), /stays/);
      assert.deepEqual(await vault.enrolmentCodes.peek('code-9', NOW_MS), { patientId: 'shared' });
      await assert.rejects(vault.erase({ resourceType: 'Observation', id: 'gone' }), { code: 'not-found' });
      vault = await world.reopen();
      assert.match(await textOf(await vault.read('Observation', 'stays')), /stays/);
    });

    test('erasing a patient leaves nothing of the patient and everything of the others', async () => {
      const expected = (await vault.history({ resourceType: 'Observation', limit: 1000 })).filter(
        (one) => one.subject === 'patient-1',
      );
      const record = await vault.erase({ subject: 'patient-1' });
      assert.deepEqual(
        record.commitments.map((one) => Buffer.from(one).toString('hex')),
        expected.map((one) => Buffer.from(one.commitment).toString('hex')).sort(),
      );
      assert.equal(await vault.read('Observation', 'a'), undefined);
      assert.match(await textOf(await vault.read('Observation', 'stays')), /stays/);
      assert.equal((await vault.accessLog.listBySubject('patient-1'))[0]?.bytes, undefined);
      await assert.rejects(vault.erase({ subject: 'patient-1' }), { code: 'not-found' });
    });

    test('a key that is made after an erasure and a restart is taken for none that was destroyed', async () => {
      const heard = (subject: string) => vault.accessLog.append({ subject, bytes: utf8(subject) });
      await vault.put(sampleWrite('newest', { subject: 'newest' }));
      await heard('newest');
      await vault.erase({ subject: 'newest' });
      vault = await world.reopen();
      for (const number of [1, 2, 3, 4]) await heard(`later-${number}`);
      assert.deepEqual(await findingsOf(vault), []);
      assert.deepEqual(
        (await vault.accessLog.listBySubject('newest')).map(({ bytes }) => bytes),
        [undefined],
      );
    });
  });
}
