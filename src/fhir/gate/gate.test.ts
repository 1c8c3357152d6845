import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError, canonicalJson, utf8 } from '../../shared/index.ts';
import type { AccessReceipt } from '../../vault/index.ts';
import type { JsonObject } from '../labels/resource-walk.ts';
import { decodeAccessEntry } from './index.ts';
import {
  CUSTODIAN,
  consent,
  createWorld,
  INSURER,
  NOW_MS,
  provision,
  RECEIPT,
  SESSIONS,
} from './testing/gate-world.ts';

const OBSERVATION: JsonObject = {
  resourceType: 'Observation',
  id: 'o1',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  effectiveDateTime: '2026-03-01',
};
const HIV: JsonObject = {
  resourceType: 'Condition',
  id: 'c1',
  code: { coding: [{ system: 'http://snomed.info/sct', code: '86406008' }] },
};
const toInsurer = (over = {}) =>
  consent({ actors: [{ account: INSURER, role: '' }], purposes: ['HPAYMT'], ...over });

test('a permitted read is logged durably before the content leaves, with all that is needed to decide again', async () => {
  const world = createWorld();
  world.consents.set('p1', [toInsurer()]);
  const result = await world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read');
  assert.equal(result.outcome, 'permitted');
  assert.equal(result.promise, RECEIPT);
  const { obligations, ...entry } = world.entries[0] ?? assert.fail();
  assert.equal(obligations[0]?.kind, 'redact');
  assert.deepEqual(entry, {
    format: 'careledger-access/v1',
    timeMs: NOW_MS,
    custodian: CUSTODIAN,
    ledgerHeight: 7,
    actor: {
      accountId: SESSIONS.insurer.accountId,
      kind: 'practitioner',
      organisation: INSURER,
      roles: ['claims-processor'],
    },
    purpose: 'HPAYMT',
    interaction: 'read',
    effect: 'permit',
    reason: 'consent-permits',
    matched: [`consent:${'01'.repeat(32)}#1:root`],
    engineVersion: 'careledger-decision/2',
    consents: [{ id: '01'.repeat(32), version: 1 }],
    patient: 'p1',
    records: [{ type: 'Observation', id: 'o1', version: 1 }],
  });
});

test('a denial is logged too, opens nothing, and looks like a record that is not there', async () => {
  const world = createWorld();
  const result = await world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read');
  assert.ok(result.outcome === 'denied' && result.code === 'not-found');
  assert.deepEqual(world.opened, []);
  assert.deepEqual(
    [world.entries.length, world.entries[0]?.effect, world.entries[0]?.reason],
    [1, 'deny', 'no-consent'],
  );
});

test('if the log cannot be written, nothing is read', async () => {
  const world = createWorld();
  world.appendWith = () => Promise.reject(new Error('disk full'));
  for (const session of [SESSIONS.clinician, SESSIONS.insurer, SESSIONS.patient]) {
    await assert.rejects(world.gate.open(session, world.record(OBSERVATION), 'read'), {
      code: 'audit-failed',
    });
    await assert.rejects(world.gate.visible(session, [world.record(OBSERVATION)], 'search'), {
      code: 'audit-failed',
    });
    await assert.rejects(world.gate.permitWrite(session, write(), 'create'), { code: 'audit-failed' });
  }
});

test('the answer waits for the log', async () => {
  const world = createWorld();
  const durable = Promise.withResolvers<AccessReceipt>();
  world.appendWith = () => durable.promise;
  let answered = false;
  const reading = world.gate.open(SESSIONS.clinician, world.record(OBSERVATION), 'read').then((result) => {
    answered = true;
    return result;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(answered, false);
  durable.resolve(RECEIPT);
  assert.equal((await reading).outcome, 'permitted');
});

test('a revocation between the decision and the durable entry is seen: decided again, logged again, denied', async () => {
  const world = createWorld();
  world.consents.set('p1', [toInsurer()]);
  const entries: string[] = [];
  world.appendWith = async ({ bytes }) => {
    entries.push(decodeAccessEntry(bytes).effect);
    world.consents.set('p1', []);
    return RECEIPT;
  };
  const result = await world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read');
  assert.equal(result.outcome, 'denied');
  assert.deepEqual(entries, ['permit', 'deny']);
});

test('a suspension between the decision and the durable entry is seen, too', async () => {
  const world = createWorld();
  world.appendWith = async () => {
    world.suspended.add(SESSIONS.clinician.accountId);
    return RECEIPT;
  };
  assert.equal(
    (await world.gate.open(SESSIONS.clinician, world.record(OBSERVATION), 'read')).outcome,
    'denied',
  );
});

test('a delegate dismissed meanwhile gets nothing', async () => {
  let isRecorded = true;
  const world = createWorld({ isDelegate: async () => isRecorded });
  world.appendWith = async () => {
    isRecorded = false;
    return RECEIPT;
  };
  const result = await world.gate.open(SESSIONS.delegate, world.record(OBSERVATION), 'read');
  assert.equal(result.outcome, 'denied');
});

test('a consent that changes without end gives an error, not a read', async () => {
  const world = createWorld();
  let version = 1;
  world.appendWith = async () => {
    version += 1;
    world.consents.set('p1', [{ ...toInsurer(), version }]);
    return RECEIPT;
  };
  world.consents.set('p1', [toInsurer()]);
  await assert.rejects(world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read'), {
    code: 'busy',
  });
});

test('an expired consent ends by the clock even while the ledger stands still', async () => {
  const world = createWorld();
  world.consents.set('p1', [
    consent({ actors: [{ account: INSURER, role: '' }] }, { validUntilMs: NOW_MS + 1 }),
  ]);
  assert.equal(
    (await world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read')).outcome,
    'permitted',
  );
  world.nowMs = NOW_MS + 1;
  assert.equal(
    (await world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read')).outcome,
    'denied',
  );
  world.nowMs = NOW_MS - 5;
  world.headTimeMs = NOW_MS + 1;
  assert.equal(
    (await world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read')).outcome,
    'denied',
  );
});

test('rules about codes and dates read the content inside, and let out only what they permit', async () => {
  const world = createWorld();
  world.consents.set('p1', [
    toInsurer({ codes: ['http://loinc.org|8867-4'], dataFromMs: Date.UTC(2026, 0, 1) }),
  ]);
  const other = { ...OBSERVATION, id: 'o2', code: { coding: [{ system: 'http://loinc.org', code: '1-8' }] } };
  const old = { ...OBSERVATION, id: 'o3', effectiveDateTime: '2025-12-31' };
  assert.equal(
    (await world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read')).outcome,
    'permitted',
  );
  for (const resource of [other, old]) {
    const result = await world.gate.open(SESSIONS.insurer, world.record(resource), 'read');
    assert.ok(result.outcome === 'denied' && result.code === 'not-found');
  }
  assert.deepEqual(
    world.entries.map(({ effect }) => effect),
    ['permit', 'deny', 'deny'],
  );
});

test('content that is more sensitive than its stored labels is judged by its content', async () => {
  const world = createWorld();
  world.consents.set('p1', [toInsurer()]);
  const unlabelled = world.record(HIV, { labels: [] });
  assert.equal((await world.gate.open(SESSIONS.insurer, unlabelled, 'read')).outcome, 'denied');
  assert.deepEqual(
    world.entries.map(({ reason }) => reason),
    ['label-withheld'],
  );
});

test('who may look but not touch is told so; who may not look is not', async () => {
  const world = createWorld();
  const denied = async (
    session: (typeof SESSIONS)[keyof typeof SESSIONS],
    interaction: 'patch' | 'delete' | 'export',
  ) => {
    const result = await world.gate.open(session, world.record(OBSERVATION), interaction);
    return result.outcome === 'denied' ? result.code : 'permitted';
  };
  assert.equal(await denied(SESSIONS.patient, 'patch'), 'forbidden');
  assert.equal(await denied(SESSIONS.clinician, 'export'), 'forbidden');
  assert.equal(await denied(SESSIONS.insurer, 'patch'), 'not-found');
  assert.equal(await denied(SESSIONS.insurer, 'export'), 'not-found');
});

test('a record that cannot be decrypted is an error to who may see it, and not there to others', async () => {
  const world = createWorld();
  const broken = world.record(OBSERVATION, { fails: new AppError('erased', 'It was erased.') });
  await assert.rejects(world.gate.open(SESSIONS.clinician, broken, 'read'), { code: 'erased' });
  world.consents.set('p1', [toInsurer({ codes: ['http://loinc.org|8867-4'] })]);
  const result = await world.gate.open(SESSIONS.insurer, broken, 'read');
  assert.ok(result.outcome === 'denied' && result.code === 'not-found');
  assert.equal(world.entries.length, 2);
});

test('a tombstone is decided on like a record, and opens to nothing', async () => {
  const world = createWorld();
  const tombstone = world.record(OBSERVATION, { deleted: true });
  const result = await world.gate.open(SESSIONS.clinician, tombstone, 'vread');
  assert.ok(result.outcome === 'permitted' && result.resource === null);
  assert.equal((await world.gate.open(SESSIONS.insurer, tombstone, 'vread')).outcome, 'denied');
  assert.deepEqual(world.opened, []);
});

test('visible: one decision a patient, entries per patient and effect, nothing opened that nobody asks for', async () => {
  const world = createWorld();
  world.consents.set('p1', [toInsurer()]);
  const records = [
    ...Array.from({ length: 5 }, (_, index) => world.record({ ...OBSERVATION, id: `a${index}` })),
    world.record(HIV),
    ...Array.from({ length: 3 }, (_, index) =>
      world.record({ ...OBSERVATION, id: `b${index}` }, { subject: 'p2' }),
    ),
    world.record({ resourceType: 'Organization', id: 'org' }, { subject: null }),
  ];
  const visible = await world.gate.visible(SESSIONS.insurer, records, 'search');
  assert.deepEqual(
    visible.records.map(({ record }) => record.key.id),
    ['a0', 'a1', 'a2', 'a3', 'a4', 'org'],
  );
  assert.deepEqual(world.opened, []);
  const summary = world.entries.map(({ patient, effect, reason, records: listed }) => [
    patient,
    effect,
    reason,
    listed.length,
  ]);
  assert.deepEqual(summary, [
    ['p1', 'permit', 'consent-permits', 5],
    [null, 'permit', 'directory-resource', 1],
    ['p1', 'deny', 'label-withheld', 1],
    ['p2', 'deny', 'no-consent', 3],
  ]);
  assert.equal(visible.promises.length, 2, 'promises about what is denied would tell that it is there');
  assert.equal((await visible.records[0]?.open())?.id, 'a0');
  assert.equal(world.entries.length, 4, 'opening what was logged adds no entry');
});

test('visible: content that was opened to decide is not kept until it is shown, when thousands were', async () => {
  const world = createWorld();
  world.consents.set('p1', [toInsurer({ codes: ['http://loinc.org|8867-4'] })]);
  const { records } = await world.gate.visible(SESSIONS.insurer, [world.record(OBSERVATION)], 'search');
  assert.deepEqual(world.opened, ['Observation/o1']);
  assert.equal(((await records[0]?.open()) as JsonObject | undefined)?.id, 'o1');
  assert.deepEqual(world.opened, ['Observation/o1', 'Observation/o1']);
});

test('visible: a consent revoked before the content is opened closes it', async () => {
  const world = createWorld();
  world.consents.set('p1', [toInsurer()]);
  const { records } = await world.gate.visible(SESSIONS.insurer, [world.record(OBSERVATION)], 'search');
  world.consents.set('p1', []);
  assert.equal(await records[0]?.open(), undefined);
});

test('visible: many records of one patient are split over entries', async () => {
  const world = createWorld();
  const records = Array.from({ length: 1201 }, (_, index) =>
    world.record({ ...OBSERVATION, id: `n${index}` }),
  );
  assert.equal((await world.gate.visible(SESSIONS.clinician, records, 'search')).records.length, 1201);
  assert.deepEqual(
    world.entries.map(({ records: listed }) => listed.length),
    [500, 500, 201],
  );
  const tooMany = Array.from({ length: 10_001 }, () => records[0] ?? assert.fail());
  await assert.rejects(world.gate.visible(SESSIONS.clinician, tooMany, 'search'), { code: 'too-many' });
});

const SECRETS: JsonObject = {
  resourceType: 'MedicationRequest',
  id: 'm1',
  text: { status: 'generated', div: '<div>for HIV</div>' },
  contained: [
    {
      resourceType: 'Condition',
      id: 'why',
      code: { coding: [{ system: 'http://snomed.info/sct', code: '86406008' }] },
    },
    { resourceType: 'Practitioner', id: 'who', text: { status: 'generated', div: '<div>HIV clinic</div>' } },
  ],
  medicationCodeableConcept: {
    coding: [{ system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '1' }],
  },
  subject: { reference: 'Patient/p1', display: 'Pat' },
  requester: { reference: '#who' },
  reasonReference: [
    { reference: '#why', display: 'HIV' },
    { reference: 'Condition/c9', display: 'HIV disease' },
  ],
  reasonCode: [
    { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10-cm', code: 'B20' }], text: 'HIV' },
    { text: 'cough' },
  ],
};

test('redaction takes out contained resources, items, displays and narratives; who is cleared sees all', async () => {
  const world = createWorld();
  world.consents.set('p1', [toInsurer()]);
  const record = world.record(SECRETS);
  const [seen] = (await world.gate.visible(SESSIONS.insurer, [record], 'search')).records;
  assert.equal(seen?.hasHiddenParts, true);
  const result = await world.gate.open(SESSIONS.insurer, record, 'read');
  assert.ok(result.outcome === 'permitted' && result.isRedacted && result.resource !== null);
  assert.ok(!JSON.stringify(result.resource).includes('HIV'), JSON.stringify(result.resource));
  assert.ok(
    !JSON.stringify(result.resource).includes('B20') && !JSON.stringify(result.resource).includes('86406008'),
  );
  const { contained, subject, reasonReference, reasonCode, meta } = result.resource;
  assert.deepEqual(contained, [{ resourceType: 'Practitioner', id: 'who' }]);
  assert.deepEqual(subject, { reference: 'Patient/p1', display: 'Pat' });
  assert.deepEqual(reasonReference, [{ reference: 'Condition/c9' }]);
  assert.deepEqual(reasonCode, [{ text: 'cough' }]);
  assert.deepEqual(meta, {
    security: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'REDACTED' }],
  });
  for (const session of [SESSIONS.clinician, SESSIONS.patient]) {
    const whole = await world.gate.open(session, record, 'read');
    assert.ok(whole.outcome === 'permitted' && !whole.isRedacted);
    assert.deepEqual(whole.resource, SECRETS);
  }
});

test('a redacted view looks the same whether there was something to hide or not', async () => {
  const world = createWorld();
  world.consents.set('p1', [toInsurer()]);
  const plain = {
    ...SECRETS,
    contained: [(SECRETS.contained as JsonObject[])[1] as JsonObject],
    reasonReference: [{ reference: 'Condition/c9' }],
    reasonCode: [{ text: 'cough' }],
  };
  const [left, right] = await Promise.all(
    [SECRETS, plain].map((resource) => world.gate.open(SESSIONS.insurer, world.record(resource), 'read')),
  );
  assert.ok(left?.outcome === 'permitted' && right?.outcome === 'permitted');
  assert.deepEqual(left.resource, right.resource);
});

const write = (over = {}) => ({
  type: 'Observation',
  id: 'o1',
  version: 1,
  patientId: 'p1',
  resource: OBSERVATION,
  ...over,
});

test('own clinicians write; others need a consent for it; every attempt is logged', async () => {
  const world = createWorld();
  const outcome = async (
    session: (typeof SESSIONS)[keyof typeof SESSIONS],
    interaction: 'create' | 'update' = 'create',
  ) => (await world.gate.permitWrite(session, write(), interaction)).outcome;
  assert.equal(await outcome(SESSIONS.clinician), 'permitted');
  assert.equal(await outcome(SESSIONS.custodian), 'permitted');
  assert.equal(await outcome(SESSIONS.device), 'permitted');
  assert.equal(await outcome(SESSIONS.manager), 'denied');
  assert.equal(await outcome(SESSIONS.outsider), 'denied');
  world.consents.set('p1', [consent({ actions: ['collect'] })]);
  assert.equal(await outcome(SESSIONS.outsider), 'permitted');
  assert.equal(await outcome(SESSIONS.outsider, 'update'), 'denied');
  assert.equal(world.entries.length, 7);
});

test('a write is judged on what it replaces, what it becomes, and keeps the labels there were', async () => {
  const world = createWorld();
  const existing = world.record({ ...HIV, id: 'o1', resourceType: 'Observation' });
  const kept = await world.gate.permitWrite(SESSIONS.clinician, write({ existing, version: 2 }), 'update');
  assert.ok(kept.outcome === 'permitted');
  assert.deepEqual(kept.labels.own, ['hiv']);
  world.consents.set('p2', [
    consent({ effect: 'deny', actors: [{ account: SESSIONS.clinician.accountId, role: '' }] }),
  ]);
  const theirs = world.record(OBSERVATION, { subject: 'p2' });
  const stolen = await world.gate.permitWrite(
    SESSIONS.clinician,
    write({ existing: theirs, version: 2 }),
    'update',
  );
  assert.ok(stolen.outcome === 'denied' && stolen.code === 'forbidden');
  const moved = await world.gate.permitWrite(
    SESSIONS.clinician,
    write({ existing: world.record(OBSERVATION), patientId: 'p2', version: 2 }),
    'update',
  );
  assert.equal(moved.outcome, 'denied');
  assert.deepEqual(
    world.entries.map(({ patient, effect }) => [patient, effect]),
    [
      ['p1', 'permit'],
      ['p2', 'deny'],
      ['p2', 'deny'],
    ],
  );
});

test('who sees only a part of a record cannot write it back', async () => {
  const world = createWorld();
  world.consents.set('p1', [consent({ actions: ['access', 'correct'] })]);
  const existing = world.record(SECRETS);
  const attempt = {
    type: 'MedicationRequest',
    id: 'm1',
    version: 2,
    patientId: 'p1',
    resource: { resourceType: 'MedicationRequest', id: 'm1' },
    existing,
  };
  assert.equal((await world.gate.permitWrite(SESSIONS.outsider, attempt, 'update')).outcome, 'denied');
  const { contained: _contained, reasonCode: _reason, reasonReference: _reference, ...plain } = SECRETS;
  const whole = { ...attempt, existing: world.record(plain as JsonObject) };
  assert.equal((await world.gate.permitWrite(SESSIONS.outsider, whole, 'update')).outcome, 'permitted');
});

test('breaking the glass tells the patient', async () => {
  const world = createWorld();
  world.policy = { ...world.policy, breakGlass: true };
  const emergency = { ...SESSIONS.clinician, purpose: 'ETREAT' };
  assert.equal((await world.gate.open(emergency, world.record(OBSERVATION), 'read')).outcome, 'permitted');
  assert.deepEqual(world.notified, ['p1']);
});

test('a consent about what an encounter refers to follows its references', async () => {
  const world = createWorld({
    referencesFrom: async (reference) => (reference === 'Encounter/e1' ? ['Observation/o1'] : []),
  });
  world.consents.set('p1', [toInsurer({ data: [{ meaning: 'related', reference: 'Encounter/e1' }] })]);
  const outcome = async (id: string) =>
    (await world.gate.open(SESSIONS.insurer, world.record({ ...OBSERVATION, id }), 'read')).outcome;
  assert.equal(await outcome('o1'), 'permitted');
  assert.equal(await outcome('o2'), 'denied');
  const nested = createWorld();
  nested.consents.set('p1', [
    consent({
      provisions: [
        provision({ effect: 'deny', data: [{ meaning: 'dependents', reference: 'Encounter/e1' }] }),
      ],
    }),
  ]);
  const inside = { ...OBSERVATION, encounter: { reference: 'Encounter/e1' } };
  assert.equal((await nested.gate.open(SESSIONS.clinician, nested.record(inside), 'read')).outcome, 'denied');
  assert.equal(
    (await nested.gate.open(SESSIONS.clinician, nested.record(OBSERVATION), 'read')).outcome,
    'permitted',
  );
});

test('the bytes of an entry are RFC 8785 JSON', async () => {
  const world = createWorld();
  const seen: string[] = [];
  world.appendWith = async ({ bytes }) => {
    seen.push(new TextDecoder().decode(bytes));
    return RECEIPT;
  };
  world.consents.set('p1', [toInsurer()]);
  await world.gate.open(SESSIONS.insurer, world.record(OBSERVATION), 'read');
  assert.equal(seen[0], canonicalJson(JSON.parse(seen[0] ?? '')));
});

test('bytes that are no entry are reported as damage', () => {
  for (const text of ['', '{}', 'null', '{"format":"other"}'])
    assert.throws(() => decodeAccessEntry(utf8(text)), { code: 'damaged' });
});

test('a ledger that may be too old answers nobody, opens nothing and logs no decision', async () => {
  const behind = new AppError('behind', 'The ledger here may be too old.');
  const world = createWorld({ ensureFresh: () => Promise.reject(behind) });
  world.consents.set('p1', [toInsurer()]);
  for (const session of [SESSIONS.insurer, SESSIONS.clinician, SESSIONS.delegate])
    await assert.rejects(world.gate.open(session, world.record(OBSERVATION), 'read'), { code: 'behind' });
  assert.deepEqual([world.opened, world.entries], [[], []]);
});
