/** The consent decision against Cedar, on generated consents and requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import {
  type AccessRequest,
  type ActiveConsent,
  CLINICIAN_ROLES,
  type CustodianPolicy,
  decideAccess,
} from '../src/contracts/index.ts';
import { defaultPolicies, policiesOf, purposeEntities } from './consent/cedar-policies.ts';
import {
  activeConsent,
  actor,
  concept,
  type FhirConsent,
  type FhirProvision,
  fhirConsent,
  SYSTEM,
} from './consent/fhir-consent.ts';

const NOW_MS = Date.UTC(2026, 10, 21);
const CUSTODIAN = 'c0'.repeat(32);
const INSURER = 'e0'.repeat(32);
const CLINICIAN = 'd0'.repeat(32);
const SEED = 20_261_121;
/** All that is generated is from between these two. */
const FIRST_DATA_MS = NOW_MS - 3;
const LAST_DATA_MS = NOW_MS + 4;
const PURPOSES = purposeEntities();
const SENSITIVE = ['genetic', 'hiv', 'mental-health', 'reproductive', 'restricted', 'substance-use'];

type Actor = AccessRequest['actor'];
const ACTORS: readonly Actor[] = [
  { accountId: CLINICIAN, kind: 'practitioner', organisation: CUSTODIAN, roles: ['physician'] },
  { accountId: 'd1'.repeat(32), kind: 'practitioner', organisation: CUSTODIAN, roles: ['nurse'] },
  { accountId: 'd2'.repeat(32), kind: 'practitioner', organisation: CUSTODIAN, roles: ['claims-processor'] },
  { accountId: CUSTODIAN, kind: 'organisation', organisation: CUSTODIAN, roles: ['hospital'] },
  { accountId: 'e1'.repeat(32), kind: 'practitioner', organisation: INSURER, roles: ['claims-processor'] },
  { accountId: 'f0'.repeat(32), kind: 'patient', organisation: CUSTODIAN, roles: [], patientId: 'p1' },
  { accountId: 'f2'.repeat(32), kind: 'patient', organisation: CUSTODIAN, roles: [], patientId: 'p2' },
];

interface Case {
  readonly consents: readonly FhirConsent[];
  readonly request: AccessRequest;
  readonly breakGlass: boolean;
  readonly timeMs: number;
}

// What the generator can say.

const iso = (timeMs: number): string => new Date(timeMs).toISOString();
const some = <T>(arbitrary: fc.Arbitrary<T>, weight = 2): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const pickSome = <T>(...values: T[]): fc.Arbitrary<T[]> =>
  fc.subarray(values, { minLength: 1, maxLength: Math.min(3, values.length) });
const periodArb = fc
  .tuple(fc.option(fc.integer({ min: -2, max: 1 }), { nil: undefined }), fc.integer({ min: 1, max: 3 }))
  .map(([start, end]) =>
    start === undefined
      ? { end: iso(NOW_MS + end - 2) }
      : { start: iso(NOW_MS + start), end: iso(NOW_MS + start + end) },
  );
const coding = (system: string, ...codes: string[]) => pickSome(...codes.map((code) => ({ system, code })));

const CRITERIA = {
  period: some(periodArb, 6),
  dataPeriod: some(periodArb, 6),
  actor: some(pickSome(actor(CLINICIAN), actor(INSURER), actor(CUSTODIAN, 'nurse'), actor(CUSTODIAN))),
  action: some(
    pickSome(...['access', 'collect', 'correct', 'disclose'].map((code) => concept(SYSTEM.action, code))),
  ),
  purpose: some(coding(SYSTEM.actReason, 'TREAT', 'HPAYMT', 'ETREAT', 'HRESCH', 'COVERAGE', 'PATRQT')),
  class: some(coding(SYSTEM.resourceType, 'Observation', 'Condition', 'Claim'), 4),
  code: some(pickSome(concept(SYSTEM.loinc, '8867-4'), concept(SYSTEM.loinc, '4548-4')), 4),
  securityLabel: some(
    pickSome(
      { system: SYSTEM.confidentiality, code: 'N' },
      { system: SYSTEM.confidentiality, code: 'R' },
      { system: SYSTEM.confidentiality, code: 'V' },
      { system: SYSTEM.actCode, code: 'HIV' },
      { system: SYSTEM.actCode, code: 'PSY' },
      { system: SYSTEM.label, code: 'sealed' },
    ),
  ),
  data: some(
    pickSome(
      { meaning: 'instance', reference: { reference: 'Observation/o1' } },
      { meaning: 'dependents', reference: { reference: 'Encounter/e1' } },
      { meaning: 'related', reference: { reference: 'Encounter/e2' } },
      { meaning: 'authoredby', reference: { reference: 'Practitioner/x' } },
    ),
    8,
  ),
};

function provisionArb(depth: number): fc.Arbitrary<FhirProvision> {
  const nested =
    depth >= 3
      ? fc.constant(undefined)
      : some(fc.array(provisionArb(depth + 1), { minLength: 1, maxLength: 2 }), depth + 1);
  const type =
    depth === 0 ? fc.constant(undefined) : some(fc.constantFrom<'permit' | 'deny'>('permit', 'deny'));
  return fc
    .record({ ...CRITERIA, type, provision: nested })
    .map((fields) => JSON.parse(JSON.stringify(fields)) as FhirProvision);
}

const consentArb = fc
  .tuple(fc.constantFrom<'OPTIN' | 'OPTOUT'>('OPTIN', 'OPTIN', 'OPTOUT'), provisionArb(0))
  .map(([rule, root]) => fhirConsent(rule, root));

const labelsArb = fc.subarray(['hiv', 'mental-health', 'sealed']);
const requestArb: fc.Arbitrary<AccessRequest> = fc
  .record({
    actor: fc.constantFrom(...ACTORS),
    action: fc.constantFrom('access', 'access', 'collect', 'correct', 'disclose'),
    purpose: fc.constantFrom(
      'TREAT',
      'TREAT',
      'HPAYMT',
      'CLMATTCH',
      'ELIGVER',
      'ETREAT',
      'BTG',
      'HRESCH',
      'DSRCH',
      'PATRQT',
      'FAMRQT',
      'HOPERAT',
      'COC',
    ),
    type: fc.constantFrom('Observation', 'Condition', 'Encounter'),
    id: fc.constantFrom('o1', 'o2'),
    labels: labelsArb,
    ownCount: fc.integer({ min: 0, max: 3 }),
    codes: fc.subarray(['8867-4', '4548-4']),
    dataTimeMs: fc.integer({ min: FIRST_DATA_MS, max: LAST_DATA_MS }),
    isDelegate: fc.boolean(),
    authors: fc.subarray(['Practitioner/x']),
    references: fc.subarray(['Encounter/e1']),
    referredBy: fc.subarray(['Encounter/e2']),
    within: fc.record({
      types: fc.subarray(['Observation', 'Claim', 'Patient']),
      resources: fc.subarray(['Observation/o1', 'Condition/c1']),
      authors: fc.subarray(['Practitioner/x']),
      referredBy: fc.subarray(['Encounter/e2']),
      times: fc.array(
        fc
          .integer({ min: FIRST_DATA_MS, max: LAST_DATA_MS })
          .map((timeMs) => ({ fromMs: timeMs, lastMs: timeMs })),
        { maxLength: 1 },
      ),
    }),
  })
  .map(({ actor: requester, action, purpose, labels, ownCount, codes, isDelegate, ...rest }) => ({
    actor: requester,
    action,
    purpose,
    resource: {
      ...rest,
      patientId: 'p1',
      labels,
      ownLabels: labels.slice(0, ownCount),
      codes: codes.map((code) => ({ system: SYSTEM.loinc, code })),
      delegates: isDelegate ? [requester.accountId] : [],
    },
  }));

const caseArb: fc.Arbitrary<Case> = fc.record({
  consents: fc.array(consentArb, { maxLength: 3 }),
  request: requestArb,
  breakGlass: fc.boolean(),
  timeMs: fc.integer({ min: NOW_MS - 2, max: NOW_MS + 3 }),
});

// Cedar's answer.

interface CedarAnswer {
  readonly permits: boolean;
  readonly errors: number;
}

/** Any diagnostic error counts as deny: Cedar itself skips a `forbid` that errs. */
function askCedar(
  policySet: string,
  given: Case,
  labels: readonly string[],
  required: string,
  attrs: object,
): CedarAnswer {
  const { actor: requester, action, purpose, resource } = given.request;
  const level = labels.includes('sealed') ? 6 : labels.length > 0 ? 5 : 4;
  const { accountId, organisation, kind, roles, patientId } = requester;
  const parents = accountId === organisation ? [] : [{ type: 'Account', id: organisation }];
  const answer = cedar.statefulIsAuthorized({
    principal: { type: 'Account', id: accountId },
    action: { type: 'Action', id: 'use' },
    resource: { type: 'Record', id: 'record' },
    context: {
      action,
      purpose: { __entity: { type: 'Purpose', id: purpose } },
      time: given.timeMs,
      label: required,
    },
    preparsedPolicySetId: policySet,
    entities: [
      ...lineOf(purpose),
      {
        uid: { type: 'Account', id: accountId },
        attrs: { id: accountId, kind, roles: [...roles], ...(patientId !== undefined && { patientId }) },
        parents,
      },
      {
        uid: { type: 'Record', id: 'record' },
        attrs: {
          ...attrs,
          type: resource.type,
          reference: `${resource.type}/${resource.id}`,
          patientId: resource.patientId ?? '',
          delegates: [...(resource.delegates ?? [])],
          labels: [...labels],
          level,
        },
        parents: [],
      },
    ],
  });
  assert.ok(answer.type === 'success', JSON.stringify(answer));
  const { decision, diagnostics } = answer.response;
  return {
    permits: decision === 'allow' && diagnostics.errors.length === 0,
    errors: diagnostics.errors.length,
  };
}

/** The purpose and those above it: Cedar reads every entity it is given, at each question. */
function lineOf(purpose: string): typeof PURPOSES {
  const found =
    PURPOSES.find(({ uid }) => uid.id === purpose) ?? assert.fail(`HL7 knows no purpose ${purpose}`);
  return [found, ...found.parents.flatMap(({ id }) => lineOf(id))];
}

/** A record may be seen when the rules permit it and, for each label it carries, one that permits covers the label. */
function cedarPermits(policySet: string, given: Case, labels: readonly string[], attrs: object): CedarAnswer {
  const answers = ['', ...labels].map((required) => askCedar(policySet, given, labels, required, attrs));
  return {
    permits: answers.every(({ permits }) => permits),
    errors: answers.reduce((sum, { errors }) => sum + errors, 0),
  };
}

function knownAttributes({ resource }: AccessRequest): Record<string, unknown> {
  return {
    codes: resource.codes?.map(({ system, code }) => `${system}|${code}`) ?? [],
    time: resource.dataTimeMs,
    authors: [...(resource.authors ?? [])],
    references: [...(resource.references ?? [])],
    referredBy: [...(resource.referredBy ?? [])],
    withinTypes: [...(resource.within?.types ?? [])],
    withinResources: [...(resource.within?.resources ?? [])],
    withinAuthors: [...(resource.within?.authors ?? [])],
    withinReferredBy: [...(resource.within?.referredBy ?? [])],
    withinTimes: (resource.within?.times ?? []).map(({ fromMs }) => fromMs),
  };
}

function preparse(given: Case): string {
  const policies = [
    ...defaultPolicies({
      custodian: CUSTODIAN,
      clinicianRoles: CLINICIAN_ROLES,
      breakGlass: given.breakGlass,
    }),
    ...given.consents.flatMap(policiesOf),
  ];
  const parsed = cedar.preparsePolicySet('case', { staticPolicies: policies.join('\n') });
  assert.ok(parsed.type === 'success', JSON.stringify(parsed));
  return 'case';
}

function ours(given: Case, request = given.request) {
  const custodianPolicy: CustodianPolicy = {
    custodian: CUSTODIAN,
    clinicianRoles: CLINICIAN_ROLES,
    breakGlass: given.breakGlass,
  };
  const consents: ActiveConsent[] = given.consents.map((consent, index) => activeConsent(index + 1, consent));
  return decideAccess({ custodianPolicy, consents, request, blockTimeMs: given.timeMs });
}

const tally = { permit: 0, deny: 0, redacted: 0 };

test('Cedar and the decision agree on generated consents, records and requesters', () => {
  fc.assert(
    fc.property(caseArb, (given) => {
      const policySet = preparse(given);
      const attrs = knownAttributes(given.request);
      const own = given.request.resource.ownLabels ?? [];
      const whole = cedarPermits(policySet, given, own, attrs);
      const decision = ours(given);
      assert.equal(whole.errors, 0);
      assert.equal(decision.effect, whole.permits ? 'permit' : 'deny', JSON.stringify(decision));
      tally[decision.effect] += 1;
      if (decision.effect === 'deny') return;
      const asked = [
        ...SENSITIVE,
        ...given.request.resource.labels.filter((label) => label === 'sealed'),
      ].filter((label) => !own.includes(label));
      const withheld = asked
        .filter((label) => !cedarPermits(policySet, given, [...own, label], attrs).permits)
        .sort();
      const redacted = decision.obligations.flatMap((obligation) =>
        obligation.kind === 'redact' ? obligation.labels : [],
      );
      assert.deepEqual([...redacted].sort(), withheld);
      if (withheld.length > 0) tally.redacted += 1;
    }),
    { numRuns: 2500, seed: SEED },
  );
  assert.ok(tally.permit > 400 && tally.deny > 400 && tally.redacted > 100, JSON.stringify(tally));
});

test('where a fact is missing, Cedar errs; without an error the two agree, and an error in every permit is a deny for both', () => {
  let erring = 0;
  fc.assert(
    fc.property(caseArb, (given) => {
      const { codes: _codes, dataTimeMs: _time, ...resource } = given.request.resource;
      const {
        codes: _c,
        time: _t,
        ...attrs
      } = knownAttributes(given.request) as { codes: unknown; time: unknown };
      const own = resource.ownLabels ?? [];
      const whole = cedarPermits(preparse(given), given, own, attrs);
      const decision = ours(given, { ...given.request, resource });
      if (whole.errors === 0) assert.equal(decision.effect, whole.permits ? 'permit' : 'deny');
      else erring += 1;
      if (whole.permits) assert.equal(decision.effect, 'permit');
      const complete = ours(given);
      if (decision.certain) assert.equal(complete.effect, decision.effect, 'a certain answer is the answer');
    }),
    { numRuns: 1500, seed: SEED },
  );
  assert.ok(erring > 50, `${erring} cases erred`);
});

test('the oracle can fail: a planted fault in a consent is seen', () => {
  const [clinician] = ACTORS;
  const deny = fhirConsent('OPTOUT', { actor: [actor(CLINICIAN)] });
  const request: AccessRequest = {
    actor: clinician ?? assert.fail(),
    action: 'access',
    purpose: 'TREAT',
    resource: { type: 'Observation', id: 'o1', patientId: 'p1', labels: [], ownLabels: [] },
  };
  const given: Case = { consents: [deny], request, breakGlass: false, timeMs: NOW_MS };
  assert.equal(ours(given).effect, 'deny');
  assert.equal(cedarPermits(preparse(given), given, [], knownAttributes(request)).permits, false);
  const planted = { ...given, consents: [] };
  assert.equal(cedarPermits(preparse(planted), planted, [], knownAttributes(request)).permits, true);
});
