/**
 * Every interaction × requester × resource type × consent state through the gate, against an oracle written from the words
 * of the default policy and of each consent, which shares no code with the decision.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { ActiveConsent } from '../src/contracts/index.ts';
import type { Interaction, Session } from '../src/fhir/gate/index.ts';
import {
  CUSTODIAN,
  createWorld,
  INSURER,
  NOW_MS,
  SESSIONS,
  type World,
} from '../src/fhir/gate/testing/gate-world.ts';
import type { JsonObject } from '../src/fhir/labels/resource-walk.ts';
import type { SealedRecord } from '../src/vault/index.ts';
import {
  activeConsent,
  actor,
  concept,
  type FhirProvision,
  fhirConsent,
  SYSTEM,
} from './consent/fhir-consent.ts';

type Who = keyof typeof SESSIONS;
type Action = 'access' | 'collect' | 'correct' | 'disclose';
const WHO = Object.keys(SESSIONS) as Who[];

/** FHIR R4 consent-action behind each interaction, as docs and access log state it. */
const INTERACTIONS: readonly [Interaction, Action][] = [
  ['read', 'access'],
  ['vread', 'access'],
  ['history', 'access'],
  ['search', 'access'],
  ['operation', 'access'],
  ['create', 'collect'],
  ['update', 'correct'],
  ['patch', 'correct'],
  ['delete', 'correct'],
  ['export', 'disclose'],
];

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/** FHIR R4 patient compartment. */
const PATIENT_TYPES = words(`
  Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic BodyStructure CarePlan CareTeam ChargeItem Claim
  ClaimResponse ClinicalImpression Communication CommunicationRequest Composition Condition Consent Coverage CoverageEligibilityRequest
  CoverageEligibilityResponse DetectedIssue DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference Encounter
  EnrollmentRequest EpisodeOfCare ExplanationOfBenefit FamilyMemberHistory Flag Goal Group ImagingStudy Immunization ImmunizationEvaluation
  ImmunizationRecommendation Invoice List MeasureReport Media MedicationAdministration MedicationDispense MedicationRequest
  MedicationStatement NutritionOrder Observation Patient Person Procedure Provenance QuestionnaireResponse RelatedPerson
  RequestGroup ResearchSubject RiskAssessment Schedule ServiceRequest Specimen SupplyDelivery SupplyRequest VisionPrescription`);
/** Neither in the compartment nor harmless: what names no patient here is for own clinicians only. */
const UNASSIGNED_TYPES = words(`
  BiologicallyDerivedProduct Binary Bundle Contract Device DeviceMetric EnrollmentResponse GuidanceResponse Linkage MessageHeader
  OperationOutcome Parameters PaymentNotice PaymentReconciliation Slot Subscription Task VerificationResult`);
const DIRECTORY_TYPES = words(`
  CapabilityStatement CodeSystem CompartmentDefinition ConceptMap Endpoint HealthcareService ImplementationGuide InsurancePlan Location
  NamingSystem OperationDefinition Organization OrganizationAffiliation Practitioner PractitionerRole SearchParameter StructureDefinition
  TerminologyCapabilities ValueSet`);
const KNOWLEDGE_TYPES = words(`
  ActivityDefinition CatalogEntry ChargeItemDefinition DeviceDefinition EventDefinition Evidence Library Measure Medication
  MedicationKnowledge MedicinalProduct ObservationDefinition PlanDefinition Questionnaire ResearchStudy SpecimenDefinition StructureMap
  Substance TestScript`);

const OWN_CLINICIANS: readonly Who[] = ['clinician', 'colleague'];
const OWN_INTAKE: readonly Who[] = ['device', 'custodian'];
const OWN_PARTIES: readonly Who[] = [
  'clinician',
  'colleague',
  'manager',
  'device',
  'custodian',
  'patient',
  'otherPatient',
  'delegate',
];

const ownStaff = (who: Who, action: Action): boolean =>
  (OWN_CLINICIANS.includes(who) && action !== 'disclose') ||
  (OWN_INTAKE.includes(who) && (action === 'collect' || action === 'correct'));

const isSelf = (who: Who, action: Action): boolean => who === 'patient' && action === 'access';
const isDelegate = (who: Who, action: Action): boolean => who === 'delegate' && action === 'access';

/** Default policy for an unlabelled record of the patient p1. */
const byDefault = (who: Who, action: Action): boolean =>
  isSelf(who, action) || isDelegate(who, action) || ownStaff(who, action);

function byDefaultWithoutPatient(who: Who, action: Action, type: string): boolean {
  if (PATIENT_TYPES.includes(type) || UNASSIGNED_TYPES.includes(type)) return ownStaff(who, action);
  if (action === 'access') return OWN_PARTIES.includes(who) || DIRECTORY_TYPES.includes(type);
  return action !== 'disclose' && ownStaff(who, action);
}

const CANARY = 'canary-7f3a';
let cases = 0;

/** Runs one case through the way its interaction takes, and holds the answer, the log and what was opened to the oracle. */
async function check(
  world: World,
  session: Session,
  record: SealedRecord,
  resource: JsonObject,
  interaction: Interaction,
  expected: boolean,
  name: string,
): Promise<JsonObject | null> {
  world.entries.length = 0;
  const outcome = await perform(world, session, record, resource, interaction);
  cases += 1;
  assert.equal(outcome.permitted, expected, name);
  const entries = world.entries.filter(({ effect }) => effect === (expected ? 'permit' : 'deny'));
  assert.ok(
    entries.length >= 1 && world.entries.length === entries.length,
    `${name}: logged as decided, and nothing else`,
  );
  assert.ok(
    entries.every(
      ({ actor: who, interaction: what, records }) =>
        who.accountId === session.accountId && what === interaction && records.length === 1,
    ),
    name,
  );
  if (!expected) assert.ok(!JSON.stringify(outcome).includes(CANARY), `${name}: a denial shows nothing`);
  return outcome.resource ?? null;
}

type Outcome = { permitted: boolean; resource?: JsonObject | null; code?: string };

async function perform(
  world: World,
  session: Session,
  record: SealedRecord,
  resource: JsonObject,
  interaction: Interaction,
): Promise<Outcome> {
  if (interaction === 'search') return searchFor(world, session, record);
  if (interaction === 'create' || interaction === 'update') {
    const { key, subject: patientId } = record;
    const written = { type: key.resourceType, id: key.id, version: key.version, patientId, resource };
    const result = await world.gate.permitWrite(
      session,
      interaction === 'update' ? { ...written, existing: record } : written,
      interaction,
    );
    return { permitted: result.outcome === 'permitted' };
  }
  const result = await world.gate.open(session, record, interaction);
  return result.outcome === 'permitted'
    ? { permitted: true, resource: result.resource }
    : { permitted: false, code: result.code };
}

async function searchFor(world: World, session: Session, record: SealedRecord): Promise<Outcome> {
  const { records } = await world.gate.visible(session, [record], 'search');
  if (records[0] === undefined) return { permitted: false };
  return { permitted: true, resource: (await records[0].open()) ?? null };
}

// First matrix: every type, by default policy and under one grant.

const grantToInsurer = activeConsent(
  1,
  fhirConsent('OPTIN', { actor: [actor(INSURER)], purpose: [{ system: SYSTEM.actReason, code: 'HPAYMT' }] }),
);

test('every resource type × interaction × requester, without a consent and under a grant', async () => {
  const typed: [string, string | null][] = [
    ...[...PATIENT_TYPES, ...UNASSIGNED_TYPES].map((type): [string, string] => [type, 'p1']),
    ...[...PATIENT_TYPES, ...UNASSIGNED_TYPES, ...DIRECTORY_TYPES, ...KNOWLEDGE_TYPES].map(
      (type): [string, null] => [type, null],
    ),
  ];
  for (const granted of [false, true]) {
    const world = createWorld();
    if (granted) world.consents.set('p1', [grantToInsurer]);
    for (const [type, patientId] of typed) {
      const resource: JsonObject = { resourceType: type, id: 'x', identifier: [{ value: CANARY }] };
      const record = world.record(resource, { subject: patientId });
      for (const who of WHO) {
        for (const [interaction, action] of INTERACTIONS) {
          const byGrant =
            granted &&
            patientId === 'p1' &&
            who === 'insurer' &&
            (action === 'access' || action === 'disclose');
          const expected =
            byGrant ||
            (patientId === null ? byDefaultWithoutPatient(who, action, type) : byDefault(who, action));
          await check(
            world,
            SESSIONS[who],
            record,
            resource,
            interaction,
            expected,
            `${granted} ${type} ${patientId} ${who} ${interaction}`,
          );
        }
      }
    }
  }
});

// Second matrix: consent states × kinds of record.

interface Kind {
  readonly name: string;
  readonly resource: JsonObject;
  /** Labels of the record itself. */
  readonly labels: readonly string[];
  /** A label that only a part carries. */
  readonly part?: string;
  readonly over?: Parameters<World['record']>[1];
}

const coded = (type: string, system: string, code: string, over: JsonObject = {}): JsonObject => ({
  resourceType: type,
  id: type.toLowerCase(),
  code: { coding: [{ system, code }] },
  note: [{ text: CANARY }],
  ...over,
});
const ICD = 'http://hl7.org/fhir/sid/icd-10-cm';
const SECRET = 'secret-91c2';

const KINDS: readonly Kind[] = [
  {
    name: 'heart rate',
    resource: coded('Observation', SYSTEM.loinc, '8867-4', { effectiveDateTime: '2026-02-03' }),
    labels: [],
  },
  {
    name: 'old weight',
    resource: coded('Observation', SYSTEM.loinc, '29463-7', { effectiveDateTime: '2019-02-03' }),
    labels: [],
  },
  { name: 'diabetes', resource: coded('Condition', ICD, 'E11.9'), labels: [] },
  { name: 'claim', resource: coded('Claim', 'urn:x', '1'), labels: [] },
  { name: 'hiv', resource: coded('Condition', ICD, 'B20'), labels: ['hiv'] },
  { name: 'depression', resource: coded('Condition', ICD, 'F32.1'), labels: ['mental-health'] },
  {
    name: 'sealed note',
    resource: coded('Observation', 'urn:x', '2', {
      meta: { security: [{ system: SYSTEM.label, code: 'sealed' }] },
    }),
    labels: ['sealed'],
  },
  {
    name: 'referral because of hiv',
    resource: coded('ServiceRequest', 'urn:x', '3', {
      reasonCode: [{ coding: [{ system: ICD, code: 'B20' }], text: SECRET }],
      reasonReference: [{ reference: 'Condition/h', display: SECRET }],
      text: { status: 'generated', div: `<div>${SECRET}</div>` },
    }),
    labels: [],
    part: 'hiv',
  },
  {
    name: 'report with a reading in it',
    resource: coded('DiagnosticReport', 'urn:x', '4', {
      contained: [{ resourceType: 'Observation', id: 'c', performer: [{ reference: 'Practitioner/psy' }] }],
      result: [{ reference: '#c' }],
    }),
    labels: [],
  },
  {
    name: 'stay that goes on',
    resource: coded('Encounter', 'urn:x', '5', { period: { start: '2019-02-03' } }),
    labels: [],
  },
  {
    name: 'tombstone',
    resource: coded('Observation', SYSTEM.loinc, '8867-4', {
      performer: [{ reference: 'Practitioner/psy' }],
    }),
    labels: [],
    over: { deleted: true },
  },
];

/** What a consent says of one case, in words of this test: undefined is nothing. */
interface Said {
  readonly says: 'permit' | 'deny';
  /** Labels that a permit names; `sealed` only where it names the reader as well. */
  readonly covers?: readonly string[];
}
interface State {
  readonly name: string;
  readonly consents: readonly ActiveConsent[];
  readonly said: (
    who: Who,
    action: Action,
    kind: Kind,
    labels: readonly string[],
  ) => readonly (Said | undefined)[];
}

const RESTRICTED = ['hiv', 'mental-health', 'restricted'];
const isRead = (action: Action): boolean => action === 'access' || action === 'disclose';
const yes = (condition: boolean, says: Said['says'], covers: readonly string[] = []): Said | undefined =>
  condition ? { says, covers } : undefined;
const state = (
  name: string,
  rule: 'OPTIN' | 'OPTOUT',
  provision: FhirProvision,
  said: (...args: Parameters<State['said']>) => Said | undefined,
): State => ({
  name,
  consents: [activeConsent(1, fhirConsent(rule, provision))],
  said: (...args) => [said(...args)],
});
const purpose = (code: string) => [{ system: SYSTEM.actReason, code }];
const R = { system: SYSTEM.confidentiality, code: 'R' };
const V = { system: SYSTEM.confidentiality, code: 'V' };
const at = (offsetMs: number): string => new Date(NOW_MS + offsetMs).toISOString();

const treats = (who: Who): boolean => SESSIONS[who].purpose === 'TREAT';
const codeOf = ({ resource }: Kind): string => JSON.stringify(resource.code);

const STATES: readonly State[] = [
  { name: 'none', consents: [], said: () => [] },
  state('opt in to all', 'OPTIN', {}, (_who, action) => yes(isRead(action), 'permit')),
  state('opt out of all', 'OPTOUT', {}, () => ({ says: 'deny' })),
  state('not this clinician', 'OPTOUT', { actor: [actor(SESSIONS.clinician.accountId)] }, (who) =>
    yes(who === 'clinician', 'deny'),
  ),
  state('not the nurses', 'OPTOUT', { actor: [actor(CUSTODIAN, 'nurse')] }, (who) =>
    yes(who === 'colleague', 'deny'),
  ),
  state(
    'no hiv',
    'OPTOUT',
    { securityLabel: [{ system: SYSTEM.actCode, code: 'HIV' }] },
    (_who, _action, _kind, labels) => yes(labels.includes('hiv'), 'deny'),
  ),
  state(
    'insurer, R',
    'OPTIN',
    { actor: [actor(INSURER)], securityLabel: [R] },
    (who, action, _kind, labels) =>
      yes(
        (who === 'insurer' || who === 'researcher') && isRead(action) && !labels.includes('sealed'),
        'permit',
        RESTRICTED,
      ),
  ),
  state('insurer, V', 'OPTIN', { actor: [actor(INSURER)], securityLabel: [V] }, (who, action) =>
    yes((who === 'insurer' || who === 'researcher') && isRead(action), 'permit', [...RESTRICTED, 'sealed']),
  ),
  state('V to nobody by name', 'OPTIN', { securityLabel: [V] }, (_who, action) =>
    yes(isRead(action), 'permit', RESTRICTED),
  ),
  state('expired a moment ago', 'OPTIN', { period: { end: at(-1) } }, () => undefined),
  state('ends with this moment', 'OPTIN', { period: { end: at(0) } }, (_who, action) =>
    yes(isRead(action), 'permit'),
  ),
  state('begins in a moment', 'OPTOUT', { period: { start: at(1) } }, () => undefined),
  state('begins now', 'OPTOUT', { period: { start: at(0) } }, () => ({ says: 'deny' })),
  state(
    'research on observations',
    'OPTIN',
    { purpose: purpose('HRESCH'), class: [{ system: SYSTEM.resourceType, code: 'Observation' }] },
    (who, action, kind) =>
      yes(who === 'researcher' && isRead(action) && kind.resource.resourceType === 'Observation', 'permit'),
  ),
  state(
    'no observations',
    'OPTOUT',
    { class: [{ system: SYSTEM.resourceType, code: 'Observation' }] },
    (_who, _action, { name, resource }) =>
      yes(resource.resourceType === 'Observation' || name === 'report with a reading in it', 'deny'),
  ),
  state(
    'nothing of one author',
    'OPTOUT',
    { data: [{ meaning: 'authoredby', reference: { reference: 'Practitioner/psy' } }] },
    // Of what is deleted nobody can tell any more who wrote it.
    (_who, _action, { name }) => yes(['report with a reading in it', 'tombstone'].includes(name), 'deny'),
  ),
  state('what is older than 2020', 'OPTIN', { dataPeriod: { end: '2019' } }, (_who, action, { name }) =>
    yes(isRead(action) && name === 'old weight', 'permit'),
  ),
  state(
    'nobody but the clinician who treats',
    'OPTOUT',
    { provision: [{ actor: [actor(SESSIONS.clinician.accountId)], purpose: purpose('TREAT') }] },
    (who, action) => (who === 'clinician' ? yes(isRead(action), 'permit') : { says: 'deny' }),
  ),
  state('all but research', 'OPTIN', { provision: [{ purpose: purpose('HRESCH') }] }, (who, action) =>
    who === 'researcher' ? { says: 'deny' } : yes(isRead(action), 'permit'),
  ),
  state(
    'a code to the insurer',
    'OPTIN',
    { actor: [actor(INSURER)], code: [concept(SYSTEM.loinc, '8867-4')] },
    (who, action, kind) =>
      yes(
        (who === 'insurer' || who === 'researcher') &&
          isRead(action) &&
          kind.over?.deleted !== true &&
          codeOf(kind).includes('8867-4'),
        'permit',
      ),
  ),
  state('not what is older than 2020', 'OPTOUT', { dataPeriod: { end: '2019' } }, (_who, _action, kind) =>
    // A record without a date might be that old, so it is withheld as well.
    yes(kind.name !== 'heart rate', 'deny'),
  ),
  state(
    'outsiders may add and look',
    'OPTIN',
    {
      actor: [actor(SESSIONS.outsider.accountId)],
      action: [concept(SYSTEM.action, 'collect'), concept(SYSTEM.action, 'access')],
    },
    (who, action) => yes(who === 'outsider' && (action === 'collect' || action === 'access'), 'permit'),
  ),
  state(
    'sealed to the clinician',
    'OPTIN',
    {
      actor: [actor(SESSIONS.clinician.accountId)],
      securityLabel: [{ system: SYSTEM.label, code: 'sealed' }],
    },
    (who, action, _kind, labels) =>
      yes(who === 'clinician' && isRead(action) && labels.includes('sealed'), 'permit', ['sealed']),
  ),
  {
    name: 'all in, insurer out',
    consents: [
      activeConsent(1, fhirConsent('OPTIN')),
      activeConsent(2, fhirConsent('OPTOUT', { actor: [actor(INSURER)] })),
    ],
    said: (who, action) => [
      yes(isRead(action), 'permit'),
      yes(who === 'insurer' || who === 'researcher', 'deny'),
    ],
  },
  {
    name: 'treatment anywhere, and hiv with it',
    consents: [
      activeConsent(1, fhirConsent('OPTIN', { purpose: purpose('TREAT') })),
      activeConsent(
        2,
        fhirConsent('OPTIN', {
          purpose: purpose('TREAT'),
          securityLabel: [{ system: SYSTEM.actCode, code: 'HIV' }],
        }),
      ),
    ],
    said: (who, action, _kind, labels) => [
      yes(treats(who) && isRead(action), 'permit'),
      yes(treats(who) && isRead(action) && labels.includes('hiv'), 'permit', ['hiv']),
    ],
  },
  {
    name: 'one that cannot be read',
    consents: [{ ...activeConsent(1, fhirConsent('OPTIN')), terms: null }],
    said: () => [{ says: 'deny' }],
  },
];

/** The oracle: the patient always; else no consent may deny, something must permit, and every label must be covered. */
function expect(who: Who, action: Action, kind: Kind, labels: readonly string[], given: State): boolean {
  if (isSelf(who, action)) return true;
  const said = given.said(who, action, kind, labels).filter((item) => item !== undefined);
  if (said.some(({ says }) => says === 'deny')) return false;
  const permitted = byDefault(who, action);
  if (!permitted && said.length === 0) return false;
  const covered = said.flatMap(({ covers = [] }) => covers);
  return labels.every((label) => covered.includes(label) || (permitted && label !== 'sealed'));
}

test('every consent state × kind of record × interaction × requester', async () => {
  for (const given of STATES) {
    const world = createWorld();
    world.consents.set('p1', given.consents);
    for (const kind of KINDS) {
      const record = world.record(kind.resource, kind.over);
      for (const who of WHO) {
        for (const [interaction, action] of INTERACTIONS) {
          const hidden =
            kind.part !== undefined && !expect(who, action, kind, [...kind.labels, kind.part], given);
          const writesBlindly = hidden && interaction === 'update';
          const expected = expect(who, action, kind, kind.labels, given) && !writesBlindly;
          const name = `${given.name} / ${kind.name} / ${who} / ${interaction}`;
          const seen = await check(world, SESSIONS[who], record, kind.resource, interaction, expected, name);
          if (expected && hidden)
            assert.ok(!JSON.stringify(seen).includes(SECRET), `${name}: the part is taken out`);
          if (expected && seen !== null && !hidden && kind.part !== undefined)
            assert.ok(JSON.stringify(seen).includes('B20'), `${name}: nothing is taken out in vain`);
        }
      }
    }
  }
});

test('a record of another patient is untouched by what p1 says', async () => {
  for (const given of STATES) {
    const world = createWorld();
    world.consents.set('p1', given.consents);
    const resource = coded('Observation', SYSTEM.loinc, '8867-4');
    const record = world.record(resource, { subject: 'p2' });
    for (const who of WHO) {
      for (const [interaction, action] of INTERACTIONS) {
        const expected = (who === 'otherPatient' && action === 'access') || ownStaff(who, action);
        await check(
          world,
          SESSIONS[who],
          record,
          resource,
          interaction,
          expected,
          `p2 under ${given.name}: ${who} ${interaction}`,
        );
      }
    }
  }
});

test('a search answers the same whether hidden records exist or not', async () => {
  for (const given of STATES) {
    for (const who of WHO) {
      const world = createWorld();
      world.consents.set('p1', given.consents);
      const records = KINDS.filter(({ part }) => part === undefined).map((kind) => ({
        kind,
        record: world.record(kind.resource, kind.over),
      }));
      const all = await world.gate.visible(
        SESSIONS[who],
        records.map(({ record }) => record),
        'search',
      );
      const shown = records.filter(({ kind }) => expect(who, 'access', kind, kind.labels, given));
      const only = await world.gate.visible(
        SESSIONS[who],
        shown.map(({ record }) => record),
        'search',
      );
      assert.deepEqual(
        all.records.map(({ record }) => record.key),
        only.records.map(({ record }) => record.key),
      );
      assert.equal(all.records.length, shown.length);
      cases += 1;
    }
  }
});

after(() => assert.ok(cases >= 20_000, `the matrix has ${cases} cases`));
