import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Bundle } from '@medplum/fhirtypes';
import { activeConsent, actor, concept, fhirConsent, SYSTEM } from './consent/fhir-consent.ts';
import {
  CLINICIAN,
  createFhirWorld,
  type FhirReply,
  type FhirWorld,
  OUTSIDER,
} from './support/fhir-world.ts';

const VISIBLE = [0, 3, 6, 9];
let world: FhirWorld;

before(async () => {
  world = await createFhirWorld();
  await world.send(CLINICIAN, 'PUT', '/Patient/p1', { resourceType: 'Patient', id: 'p1' });
  // Every third is a heart rate, which the insurer may see; between them lie what it may not.
  for (let number = 0; number < 12; number += 1) {
    const code = VISIBLE.includes(number) ? '8867-4' : '29463-7';
    await world.send(CLINICIAN, 'PUT', `/Observation/o${number}`, {
      resourceType: 'Observation',
      id: `o${number}`,
      status: 'final',
      code: { coding: [{ system: SYSTEM.loinc, code }] },
      subject: { reference: 'Patient/p1' },
    });
  }
  const provision = { actor: [actor(OUTSIDER.accountId)], code: [concept(SYSTEM.loinc, '8867-4')] };
  world.consents.set('p1', [activeConsent(1, fhirConsent('OPTIN', provision))]);
});
after(() => world.close());

const nextOf = (reply: FhirReply): string | undefined =>
  (reply.json as unknown as Bundle).link
    ?.find(({ relation }) => relation === 'next')
    ?.url?.replace('http://test/fhir/R4', '');
const get = (url: string, session = OUTSIDER) => world.send(session, 'GET', url);

for (const url of [
  '/Observation?_count=2',
  '/Observation?_count=2&_sort=_id',
  '/Observation?_count=2&_lastUpdated=gt2020-01-01',
  '/Observation/_history?_count=2',
  '/Observation/_history?_count=2&_since=2020-01-01',
]) {
  test(`pages of ${url} hold what may be seen, full to the last, and name nothing else`, async () => {
    const seen: (string | undefined)[] = [];
    const cursors: string[] = [];
    for (let next: string | undefined = url; next !== undefined; ) {
      const reply = await get(next);
      assert.equal(reply.status, 200, reply.body);
      const entries = (reply.json as unknown as Bundle).entry ?? [];
      assert.equal(entries.length, 2, 'a page that hidden records shorten tells of them');
      seen.push(...entries.map(({ resource }) => resource?.id));
      next = nextOf(reply);
      if (next !== undefined) cursors.push(new URLSearchParams(next.split('?')[1]).get('_cursor') as string);
    }
    assert.deepEqual(
      seen.sort(),
      VISIBLE.map((number) => `o${number}`),
    );
    assert.equal(cursors.length, 1, 'no link to a page that is empty for this reader');
    const place = Buffer.from((cursors[0] as string).slice(43), 'base64url').toString();
    const hidden = Array.from({ length: 12 }, (_, number) => number).filter((one) => !VISIBLE.includes(one));
    for (const number of hidden) assert.ok(!place.includes(`"o${number}"`), place);
  });

  test(`a cursor of ${url} is good for who got it, for that query, unaltered`, async () => {
    const next = nextOf(await get(url)) as string;
    assert.equal((await get(next)).status, 200);
    const cursor = new URLSearchParams(next.split('?')[1]).get('_cursor') as string;
    const refused = async (attempt: string, session = OUTSIDER) => {
      const reply = await get(attempt, session);
      assert.equal(reply.status, 400, attempt);
      const [issue] = (reply.json as unknown as { issue: { details: { text: string } }[] }).issue;
      assert.match(issue?.details.text ?? '', /cursor/);
    };
    await refused(next, CLINICIAN);
    for (let at = 0; at < cursor.length; at += 1) {
      const other = cursor[at] === 'A' ? 'B' : 'A';
      await refused(next.replace(cursor, cursor.slice(0, at) + other + cursor.slice(at + 1)));
    }
    await refused(next.replace(cursor, cursor.slice(0, -1)));
    const forged = Buffer.from(JSON.stringify([Date.now(), 'Observation', 'o1'])).toString('base64url');
    await refused(next.replace(cursor, forged));
    await refused(next.replace('Observation', 'Condition'));
    if (!next.includes('_history')) await refused(next.replace('_count=2', '_count=2&code=8867-4'));
  });
}
