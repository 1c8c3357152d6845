import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type AccessRequest,
  type ActiveConsent,
  type ConsentTerms,
  type CustodianPolicy,
  decide,
  decideAccess,
  END_OF_TIME_MS,
  type ProvisionTerms,
  START_OF_DATA_MS,
  TERMINOLOGY_VERSION,
} from './index.ts';

const CUSTODIAN = 'c0'.repeat(32);
const CLINICIAN = 'd0'.repeat(32);
const INSURER = 'e0'.repeat(32);
const INSURER_CLERK = 'e1'.repeat(32);
const PATIENT = 'f0'.repeat(32);
const NOW = 1_800_000_000_000;

const POLICY: CustodianPolicy = {
  custodian: CUSTODIAN,
  clinicianRoles: ['doctor', 'nurse'],
  breakGlass: false,
};

const provision = (over: Partial<ProvisionTerms> = {}): ProvisionTerms => ({
  effect: 'permit',
  periodFromMs: 0,
  periodUntilMs: END_OF_TIME_MS,
  dataFromMs: START_OF_DATA_MS,
  dataUntilMs: END_OF_TIME_MS,
  actors: [],
  authors: [],
  actions: [],
  purposes: [],
  resourceTypes: [],
  documentCodes: [],
  codes: [],
  confidentiality: 0,
  labels: [],
  data: [],
  provisions: [],
  ...over,
});

const consent = (
  root: Partial<ProvisionTerms>,
  over: Partial<ConsentTerms> = {},
  id = '01'.repeat(32),
): ActiveConsent => ({
  id,
  version: 1,
  terms: {
    terminologyVersion: TERMINOLOGY_VERSION,
    validFromMs: 0,
    validUntilMs: END_OF_TIME_MS,
    root: provision(root),
    ...over,
  },
});

const clinician: AccessRequest['actor'] = {
  accountId: CLINICIAN,
  kind: 'practitioner',
  organisation: CUSTODIAN,
  roles: ['doctor'],
};
const insurer: AccessRequest['actor'] = {
  accountId: INSURER_CLERK,
  kind: 'practitioner',
  organisation: INSURER,
  roles: ['insurer'],
};
const patient: AccessRequest['actor'] = {
  accountId: PATIENT,
  kind: 'patient',
  organisation: CUSTODIAN,
  roles: [],
  patientId: 'p1',
};

const NOTHING_WITHIN = { types: [], resources: [], authors: [], referredBy: [], times: [] };

type RequestPart = Partial<Omit<AccessRequest, 'resource'>> & {
  resource?: Partial<AccessRequest['resource']>;
};

function request(over: RequestPart = {}): AccessRequest {
  const { resource, ...rest } = over;
  return {
    actor: clinician,
    action: 'access',
    purpose: 'TREAT',
    ...rest,
    resource: {
      type: 'Observation',
      id: 'o1',
      patientId: 'p1',
      labels: [],
      ownLabels: [],
      codes: [],
      authors: [],
      references: [],
      within: NOTHING_WITHIN,
      ...resource,
    },
  };
}

const run = (consents: ActiveConsent[], asked: AccessRequest, custodianPolicy = POLICY, blockTimeMs = NOW) =>
  decideAccess({ custodianPolicy, consents, request: asked, blockTimeMs });

test('an own clinician may treat, and only treat', () => {
  assert.equal(run([], request()).reason, 'own-clinician');
  assert.equal(run([], request({ purpose: 'COC' })).effect, 'permit');
  for (const purpose of ['HRESCH', 'HPAYMT', 'CLINTRL', 'ETREAT', 'BTG', 'HMARKT', 'NOSUCH', '']) {
    assert.equal(run([], request({ purpose })).effect, 'deny', purpose);
  }
  assert.equal(run([], request({ actor: { ...clinician, roles: ['clerk'] } })).effect, 'deny');
  assert.equal(run([], request({ actor: { ...clinician, organisation: INSURER } })).effect, 'deny');
  assert.equal(run([], request({ actor: { ...clinician, suspended: true } })).reason, 'actor-suspended');
});

test('an emergency is open to own clinicians only where the policy says so, and the patient is told', () => {
  const policy = { ...POLICY, breakGlass: true };
  const decision = run([], request({ purpose: 'ETREAT' }), policy);
  assert.equal(decision.reason, 'own-break-glass');
  assert.deepEqual(decision.obligations, [{ kind: 'notify-patient' }]);
  assert.equal(run([], request({ purpose: 'ETREAT', actor: insurer }), policy).effect, 'deny');
  assert.equal(
    run([consent({ effect: 'deny', purposes: ['TREAT'] })], request({ purpose: 'BTG' }), policy).effect,
    'deny',
  );
});

test('patients read their own record whatever a consent says, and nobody else’s', () => {
  const sealedDown = [consent({ effect: 'deny' })];
  const own = request({
    actor: patient,
    purpose: 'PATRQT',
    resource: { labels: ['sealed'], ownLabels: ['sealed'] },
  });
  assert.equal(run(sealedDown, own).reason, 'patient-self');
  assert.equal(
    run([], request({ actor: patient, purpose: 'PATRQT', resource: { patientId: 'p2' } })).effect,
    'deny',
  );
  assert.equal(run([], request({ actor: { ...patient, kind: 'practitioner', roles: [] } })).effect, 'deny');
  assert.equal(run([], request({ actor: patient, action: 'correct', purpose: 'PATRQT' })).effect, 'deny');
});

test('a recorded delegate reads, at the patient’s request only, and not what is sealed', () => {
  const delegate = { ...patient, accountId: 'f1'.repeat(32), patientId: 'p9' };
  const asked = (resource: Partial<AccessRequest['resource']>, purpose = 'PATRQT') =>
    request({ actor: delegate, purpose, resource });
  const delegates = [delegate.accountId];
  assert.equal(run([], asked({ delegates })).reason, 'patient-delegate');
  assert.equal(run([], asked({ delegates, labels: ['hiv'], ownLabels: ['hiv'] })).effect, 'permit');
  assert.equal(run([], asked({ delegates, labels: ['sealed'], ownLabels: ['sealed'] })).effect, 'deny');
  assert.equal(run([], asked({ delegates }, 'HRESCH')).effect, 'deny');
  assert.equal(run([], asked({})).effect, 'deny');
});

test('an outsider needs a consent, and expiry is exact', () => {
  const asked = request({ actor: insurer, purpose: 'HPAYMT' });
  assert.equal(run([], asked).reason, 'no-consent');
  const consents = [
    consent(
      { actors: [{ account: INSURER, role: '' }], purposes: ['HPAYMT'] },
      { validFromMs: NOW, validUntilMs: NOW + 10 },
    ),
  ];
  const at = (time: number) => run(consents, asked, POLICY, time).effect;
  assert.deepEqual([NOW - 1, NOW, NOW + 9, NOW + 10].map(at), ['deny', 'permit', 'permit', 'deny']);
  const onLedger = [{ ...(consents[0] as ActiveConsent), validUntilMs: NOW + 5 }];
  assert.equal(run(onLedger, asked, POLICY, NOW + 4).effect, 'permit');
  assert.equal(run(onLedger, asked, POLICY, NOW + 5).effect, 'deny');
});

test('a nested period ends exactly, too', () => {
  const consents = [
    consent({ provisions: [provision({ effect: 'deny', periodFromMs: NOW, periodUntilMs: NOW + 10 })] }),
  ];
  const at = (time: number) => run(consents, request(), POLICY, time).effect;
  assert.deepEqual([NOW - 1, NOW, NOW + 9, NOW + 10].map(at), ['permit', 'deny', 'deny', 'permit']);
});

test('purposes subsume downwards only', () => {
  const asked = (purpose: string) => request({ actor: insurer, purpose });
  const covering = [consent({ purposes: ['COVERAGE'] })];
  assert.equal(run(covering, asked('ELIGVER')).effect, 'permit');
  assert.equal(run(covering, asked('COVERAGE')).effect, 'permit');
  assert.equal(run(covering, asked('HPAYMT')).effect, 'deny');
});

test('a sensitive record needs a consent that names its label, or R', () => {
  const asked = (labels: string[]) =>
    request({ actor: insurer, purpose: 'HPAYMT', resource: { labels, ownLabels: labels } });
  const plain = consent({});
  assert.equal(run([plain], asked([])).effect, 'permit');
  assert.equal(run([plain], asked(['hiv'])).reason, 'label-withheld');
  assert.equal(run([consent({ labels: ['hiv'] })], asked(['hiv'])).effect, 'permit');
  assert.equal(run([consent({ labels: ['hiv'] })], asked(['genetic', 'hiv'])).effect, 'deny');
  assert.equal(run([consent({ confidentiality: 5 })], asked(['genetic', 'hiv'])).effect, 'permit');
  assert.equal(run([consent({ confidentiality: 5 })], asked([])).effect, 'permit', 'R means R or lower');
  assert.equal(run([consent({ confidentiality: 4 })], asked(['hiv'])).effect, 'deny');
});

test('what is sealed needs one consent that names both the label and the reader', () => {
  const asked = request({ resource: { labels: ['sealed'], ownLabels: ['sealed'] } });
  const named = [{ account: CLINICIAN, role: '' }];
  assert.equal(run([], asked).reason, 'label-withheld');
  assert.equal(run([consent({ labels: ['sealed'] })], asked).effect, 'deny');
  assert.equal(run([consent({ actors: named })], asked).effect, 'deny');
  const apart = [consent({ labels: ['sealed'] }), consent({ actors: named }, {}, '02'.repeat(32))];
  assert.equal(run(apart, asked).effect, 'deny', 'two consents do not add up');
  assert.equal(run([consent({ labels: ['sealed'], actors: named })], asked).effect, 'permit');
});

test('what would be withheld as a record is taken out of one, whether or not it is there', () => {
  const asked = request({
    actor: insurer,
    purpose: 'HPAYMT',
    resource: { labels: ['genetic', 'hiv'], ownLabels: [] },
  });
  const five = ['genetic', 'hiv', 'mental-health', 'reproductive', 'restricted', 'substance-use'];
  assert.deepEqual(run([consent({})], asked).obligations, [{ kind: 'redact', labels: five }]);
  assert.deepEqual(run([consent({})], request({ actor: insurer })).obligations, [
    { kind: 'redact', labels: five },
  ]);
  const both = [consent({}), consent({ labels: ['hiv'] }, {}, '02'.repeat(32))];
  assert.deepEqual(run(both, asked).obligations, [
    { kind: 'redact', labels: five.filter((label) => label !== 'hiv') },
  ]);
  const denied = [consent({ effect: 'deny', labels: ['hiv'] })];
  const partly = request({ resource: { labels: ['hiv'], ownLabels: [] } });
  assert.deepEqual(run(denied, partly).obligations, [{ kind: 'redact', labels: ['hiv'] }]);
  assert.deepEqual(run([], partly).obligations, []);
  const sealedPart = request({ resource: { labels: ['sealed'], ownLabels: [] } });
  assert.deepEqual(run([], sealedPart).obligations, [{ kind: 'redact', labels: ['sealed'] }]);
});

test('writing needs a consent that says so', () => {
  const asked = (action: string) => request({ actor: insurer, action });
  assert.equal(run([consent({})], asked('collect')).effect, 'deny');
  assert.equal(run([consent({ actions: ['collect'] })], asked('collect')).effect, 'permit');
  assert.equal(run([consent({ actions: ['collect'] })], asked('correct')).effect, 'deny');
  assert.equal(run([consent({ actions: ['access'] })], asked('access')).effect, 'permit');
  assert.equal(run([], request({ action: 'correct' })).effect, 'permit');
  const device = { accountId: CUSTODIAN, kind: 'device', organisation: CUSTODIAN, roles: [] } as const;
  assert.equal(run([], request({ actor: device, action: 'collect' })).reason, 'own-intake');
  assert.equal(run([], request({ actor: device })).effect, 'deny');
});

test('nested provisions are exceptions to their parent, and deny overrides among siblings', () => {
  const tree = consent({
    effect: 'permit',
    provisions: [
      provision({
        effect: 'deny',
        resourceTypes: ['Observation'],
        provisions: [provision({ effect: 'permit', purposes: ['HRESCH'] })],
      }),
    ],
  });
  const asked = (type: string, purpose: string) =>
    run([tree], request({ actor: insurer, purpose, resource: { type } }));
  assert.equal(asked('Condition', 'HPAYMT').effect, 'permit');
  assert.equal(asked('Observation', 'HPAYMT').effect, 'deny');
  assert.deepEqual(asked('Observation', 'HPAYMT').matched, [`consent:${'01'.repeat(32)}#1:root.0`]);
  assert.equal(asked('Observation', 'DSRCH').effect, 'permit');
  const siblings = consent({
    provisions: [provision({ effect: 'deny' }), provision({ effect: 'permit', purposes: ['HPAYMT'] })],
  });
  assert.equal(run([siblings], request({ actor: insurer, purpose: 'HPAYMT' })).effect, 'deny');
});

test('codes, class, data period, author and data references each narrow', () => {
  const code = { system: 'http://loinc.org', code: '4548-4' };
  const asked = (resource: Partial<AccessRequest['resource']>) => request({ actor: insurer, resource });
  const permits = (root: Partial<ProvisionTerms>, resource: Partial<AccessRequest['resource']>) =>
    run([consent(root)], asked(resource)).effect === 'permit';
  assert.ok(permits({ codes: ['http://loinc.org|4548-4'] }, { codes: [code] }));
  assert.ok(!permits({ codes: ['http://loinc.org|4548-4'] }, { codes: [] }));
  assert.ok(
    permits({ documentCodes: ['http://loinc.org|4548-4'] }, { type: 'DocumentReference', codes: [code] }),
  );
  assert.ok(!permits({ documentCodes: ['http://loinc.org|4548-4'] }, { codes: [code] }));
  assert.ok(permits({ dataFromMs: 10, dataUntilMs: 20 }, { dataTimeMs: 10 }));
  assert.ok(!permits({ dataFromMs: 10, dataUntilMs: 20 }, { dataTimeMs: 20 }));
  assert.ok(
    !permits({ dataFromMs: 10, dataUntilMs: 20 }, { dataTimeMs: 15, dataEndMs: 25 }),
    'straddling is not inside',
  );
  assert.ok(permits({ authors: ['Practitioner/1'] }, { authors: ['Practitioner/1'] }));
  assert.ok(permits({ data: [{ meaning: 'instance', reference: 'Observation/o1' }] }, {}));
  assert.ok(!permits({ data: [{ meaning: 'instance', reference: 'Observation/o2' }] }, {}));
  assert.ok(
    permits({ data: [{ meaning: 'dependents', reference: 'Encounter/1' }] }, { references: ['Encounter/1'] }),
  );
  assert.ok(
    permits({ data: [{ meaning: 'related', reference: 'Encounter/1' }] }, { referredBy: ['Encounter/1'] }),
  );
  assert.ok(
    !permits({ data: [{ meaning: 'related', reference: 'Encounter/1' }] }, { references: ['Encounter/1'] }),
  );
});

test('a denial reaches what a record holds; a permission for that does not open the record', () => {
  const bundle = (within: object) =>
    request({
      actor: insurer,
      resource: { type: 'Bundle', referredBy: [], dataTimeMs: 5, within: { ...NOTHING_WITHIN, ...within } },
    });
  const everything = consent({});
  const cases: [Partial<ProvisionTerms>, object][] = [
    [{ resourceTypes: ['Observation'] }, { types: ['Observation'] }],
    [{ data: [{ meaning: 'instance', reference: 'Observation/a' }] }, { resources: ['Observation/a'] }],
    [{ data: [{ meaning: 'dependents', reference: 'Observation/a' }] }, { resources: ['Observation/a'] }],
    [{ data: [{ meaning: 'related', reference: 'Encounter/e' }] }, { referredBy: ['Encounter/e'] }],
    [{ data: [{ meaning: 'authoredby', reference: 'Practitioner/p' }] }, { authors: ['Practitioner/p'] }],
    [{ authors: ['Practitioner/p'] }, { authors: ['Practitioner/p'] }],
    [{ dataFromMs: 10, dataUntilMs: 20 }, { times: [{ fromMs: 10, lastMs: 19 }] }],
    [
      { dataFromMs: 10, dataUntilMs: 20 },
      {
        times: [
          { fromMs: 0, lastMs: 5 },
          { fromMs: 15, lastMs: 25 },
        ],
      },
    ],
  ];
  for (const [criterion, within] of cases) {
    const denied = [everything, consent({ ...criterion, effect: 'deny' }, {}, '02'.repeat(32))];
    const name = JSON.stringify(criterion);
    assert.equal(run(denied, bundle(within)).effect, 'deny', name);
    assert.equal(run(denied, bundle({})).effect, 'permit', name);
    assert.equal(run([consent(criterion)], bundle(within)).effect, 'deny', name);
  }
});

test('whom an exception to a denial lets through sees what a record holds of it, too', () => {
  const rule = consent({
    provisions: [
      provision({
        effect: 'deny',
        resourceTypes: ['Observation'],
        provisions: [provision({ actors: [{ account: INSURER, role: '' }] })],
      }),
    ],
  });
  const within = { ...NOTHING_WITHIN, types: ['Observation'] };
  const of = (actor: AccessRequest['actor']) => request({ actor, resource: { type: 'Bundle', within } });
  assert.equal(run([rule], of(insurer)).effect, 'permit');
  assert.equal(run([rule], of(clinician)).effect, 'deny');
});

test('what a record holds is not known before it is open: a permission by class does not have to wait for it', () => {
  const { within: _within, ...resource } = request({ resource: { type: 'Condition' } }).resource;
  const asked = { ...request({ actor: insurer }), resource };
  const permit = run([consent({ resourceTypes: ['Observation'] })], asked);
  assert.deepEqual([permit.effect, permit.certain], ['deny', true]);
  const deny = run(
    [consent({}), consent({ effect: 'deny', resourceTypes: ['Observation'] }, {}, '02'.repeat(32))],
    asked,
  );
  assert.deepEqual([deny.effect, deny.certain], ['deny', false]);
});

test('an unknown fact never helps: a permit needs it, a deny does not', () => {
  const { codes: _codes, ...resource } = request().resource;
  const asked = { ...request({ actor: insurer }), resource };
  const permit = run([consent({ codes: ['http://loinc.org|1-8'] })], asked);
  assert.deepEqual([permit.effect, permit.certain], ['deny', false]);
  const deny = run([consent({ effect: 'deny', codes: ['http://loinc.org|1-8'] })], {
    ...asked,
    actor: clinician,
  });
  assert.deepEqual([deny.effect, deny.certain], ['deny', false]);
  assert.equal(run([], asked).certain, true);
  assert.equal(run([consent({ dataFromMs: 5, effect: 'deny' })], request()).effect, 'deny', 'no date known');
});

test('an unreadable consent denies while it is in force', () => {
  const lost: ActiveConsent = {
    id: '03'.repeat(32),
    version: 1,
    terms: null,
    validFromMs: 0,
    validUntilMs: NOW,
  };
  assert.equal(run([lost], request(), POLICY, NOW - 1).reason, 'consent-unreadable');
  assert.equal(run([lost], request(), POLICY, NOW).effect, 'permit');
  assert.equal(run([consent({}, { terminologyVersion: 99 })], request()).reason, 'consent-unreadable');
});

test('records without a patient: shared types to own parties, directory types to all, patients’ types fail closed', () => {
  const asked = (type: string, actor: AccessRequest['actor'], action = 'access') =>
    run([], request({ actor, action, purpose: 'HPAYMT', resource: { type, patientId: null } })).effect;
  assert.equal(asked('Organization', insurer), 'permit');
  assert.equal(asked('Medication', insurer), 'deny');
  assert.equal(asked('Medication', patient), 'permit');
  assert.equal(asked('Organization', insurer, 'correct'), 'deny');
  assert.equal(asked('Organization', clinician, 'correct'), 'permit');
  for (const type of ['Observation', 'Binary', 'Bundle', 'Task', 'NoSuchType']) {
    for (const actor of [insurer, patient]) assert.equal(asked(type, actor), 'deny', type);
  }
  const treat = request({ resource: { type: 'Observation', patientId: null } });
  assert.equal(run([], treat).effect, 'permit');
});

test('a malformed request is denied, never an exception', () => {
  for (const over of [
    { action: 'steal' },
    { purpose: 'PurposeOfUse' },
    { actor: { ...clinician, accountId: 'x' } },
    { resource: { labels: ['odd'] } },
  ]) {
    assert.equal(run([], request(over as RequestPart)).reason, 'invalid-request');
  }
  for (const time of [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY]) {
    assert.equal(run([consent({})], request(), POLICY, time).reason, 'invalid-request');
  }
});

// Laws over generated consents.

const pick = <T>(...values: T[]) => fc.constantFrom(...values);
const subset = (values: string[]) => fc.subarray(values).map((list) => [...list].sort());
const time = fc.integer({ min: NOW - 3, max: NOW + 3 });

const provisionArb = (depth: number): fc.Arbitrary<ProvisionTerms> =>
  fc
    .record({
      effect: pick<'permit' | 'deny'>('permit', 'deny'),
      periodFromMs: pick(0, NOW),
      periodUntilMs: pick(END_OF_TIME_MS, NOW + 1),
      actors: fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        subset([INSURER, CLINICIAN]).map((ids) => ids.map((account) => ({ account, role: '' }))),
      ),
      actions: subset(['access', 'collect']),
      purposes: subset(['HPAYMT', 'TREAT']),
      codes: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.constant(['http://loinc.org|4548-4'])),
      confidentiality: pick(0, 0, 4, 5, 6),
      labels: subset(['hiv', 'sealed']),
      provisions: depth > 1 ? fc.constant([]) : fc.array(provisionArb(depth + 1), { maxLength: 2 }),
    })
    .map((over) => provision(over as Partial<ProvisionTerms>));

const consentArb = fc
  .tuple(provisionArb(0), fc.integer({ min: 1, max: 9 }), time, fc.boolean())
  .map(([root, number, until, lost]): ActiveConsent => {
    const made = consent(root, { validUntilMs: until }, String(number).padStart(64, '0'));
    return lost && number === 9 ? { ...made, terms: null } : made;
  });

const requestArb = fc
  .record({
    actor: pick(clinician, insurer, patient),
    action: pick('access', 'collect', 'correct'),
    purpose: pick('TREAT', 'HPAYMT', 'CLMATTCH', 'ETREAT', 'PATRQT'),
    labels: subset(['hiv', 'sealed']),
    partsOnly: fc.boolean(),
    codes: pick<AccessRequest['resource']['codes']>(
      undefined,
      [],
      [{ system: 'http://loinc.org', code: '4548-4' }],
    ),
  })
  .map(({ actor, action, purpose, labels, partsOnly, codes }): AccessRequest => {
    const { codes: _codes, ...resource } = request({
      resource: { labels, ownLabels: partsOnly ? [] : labels },
    }).resource;
    return { actor, action, purpose, resource: codes === undefined ? resource : { ...resource, codes } };
  });

const RUNS = { numRuns: 3000, seed: 20_261_121 };
const LEVEL = { deny: 0, permit: 1 };

test('law: the order of consents does not matter', () => {
  const consentsArb = fc.uniqueArray(consentArb, { maxLength: 5, selector: ({ id }) => id });
  fc.assert(
    fc.property(consentsArb, requestArb, time, (consents, asked, now) => {
      assert.deepEqual(run([...consents].reverse(), asked, POLICY, now), run(consents, asked, POLICY, now));
      assert.deepEqual(decide([...consents].reverse(), asked, now), decide(consents, asked, now));
    }),
    RUNS,
  );
});

test('law: a further consent that only denies never opens anything', () => {
  const denying = provisionArb(9).map((root) => consent({ ...root, effect: 'deny' }, {}, 'aa'.repeat(32)));
  fc.assert(
    fc.property(
      fc.array(consentArb, { maxLength: 3 }),
      denying,
      requestArb,
      time,
      (consents, extra, asked, now) => {
        const before = run(consents, asked, POLICY, now);
        const after = run([...consents, extra], asked, POLICY, now);
        assert.ok(LEVEL[after.effect] <= LEVEL[before.effect]);
        if (after.effect === 'permit') assert.ok(redacted(after).length >= redacted(before).length);
      },
    ),
    RUNS,
  );
});

test('law: knowing more never turns a certain answer over', () => {
  fc.assert(
    fc.property(fc.array(consentArb, { maxLength: 3 }), requestArb, time, (consents, asked, now) => {
      const { codes: _codes, ownLabels: _own, ...blind } = asked.resource;
      const before = run(consents, { ...asked, resource: blind }, POLICY, now);
      for (const codes of [[], [{ system: 'http://loinc.org', code: '4548-4' }]]) {
        const after = run(consents, { ...asked, resource: { ...asked.resource, codes } }, POLICY, now);
        if (before.certain)
          assert.deepEqual([after.effect, after.obligations], [before.effect, before.obligations]);
      }
    }),
    RUNS,
  );
});

const redacted = (decision: { obligations: readonly { kind: string; labels?: readonly string[] }[] }) =>
  decision.obligations.flatMap((obligation) => obligation.labels ?? []);
