/**
 * What each consent of the matrix means for each requester and record, written from R4's words on Consent and from the table of
 * defaults in docs/consent.md. Nothing here comes from the code that decides.
 */
import {
  actor,
  concept,
  type FhirConsent,
  type FhirProvision,
  fhirConsent,
  SYSTEM,
} from '../consent/fhir-consent.ts';

export const ROLES = [
  'self',
  'otherPatient',
  'delegate',
  'clinician',
  'clinicianResearching',
  'outsideClinician',
  'researcher',
  'insurer',
  'device',
] as const;
export type Role = (typeof ROLES)[number];
export type Action = 'access' | 'collect' | 'correct';
/** Account ids of the parties that consents name. */
export type Accounts = Readonly<
  Record<'hospital' | 'outsideClinician' | 'researcher' | 'insurer' | 'clinician' | 'delegate', string>
>;

/** What a rule can turn on, of one record of a patient. */
export interface Kind {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  /** A label that only a part carries, which is taken out for whom it is withheld from. */
  readonly part?: string;
  readonly loinc?: string;
  /** The year the data are from, where the record says so. */
  readonly year?: number;
}

export const KINDS: readonly Kind[] = [
  { name: 'patient', type: 'Patient', labels: [] },
  { name: 'enc', type: 'Encounter', labels: [], year: 2026 },
  { name: 'hr', type: 'Observation', labels: [], loinc: '8867-4', year: 2026 },
  { name: 'old', type: 'Observation', labels: [], loinc: '29463-7', year: 2019 },
  { name: 'dm', type: 'Condition', labels: [] },
  { name: 'hiv', type: 'Condition', labels: ['hiv'] },
  { name: 'dep', type: 'Condition', labels: ['mental-health'] },
  { name: 'med', type: 'MedicationRequest', labels: [], year: 2026 },
  { name: 'alg', type: 'AllergyIntolerance', labels: [] },
  { name: 'rep', type: 'DiagnosticReport', labels: [], year: 2026 },
  { name: 'ref', type: 'ServiceRequest', labels: [], part: 'hiv', year: 2026 },
  { name: 'proc', type: 'Procedure', labels: [], year: 2026 },
  { name: 'imm', type: 'Immunization', labels: [], year: 2026 },
  { name: 'prov', type: 'Provenance', labels: [], year: 2026 },
];

/** What a consent says of a case; labels that a permit names. */
interface Said {
  readonly says: 'permit' | 'deny';
  readonly covers: readonly string[];
}
interface Asked {
  readonly who: Role;
  readonly action: Action;
  readonly kind: Kind;
  readonly labels: readonly string[];
}
export interface State {
  readonly name: string;
  /** Granted in order; an id is the patient's. `replaces` puts it in place of the one before. */
  readonly consents: (accounts: Accounts, patientId: string) => readonly FhirConsent[];
  readonly becomes?: 'replaced' | 'revoked' | 'expired';
  readonly said: (asked: Asked) => readonly (Said | undefined)[];
}

const RESTRICTED = ['hiv', 'mental-health'];
const permit = (condition: boolean, covers: readonly string[] = []): Said | undefined =>
  condition ? { says: 'permit', covers } : undefined;
const deny = (condition: boolean): Said | undefined => (condition ? { says: 'deny', covers: [] } : undefined);
const OTHER_HOSPITAL: readonly Role[] = ['outsideClinician'];
const isConsentRead = ({ action }: Asked): boolean => action === 'access';
/** What consents without an action let others do is to read; a denial without an action denies all. */
const reads = (asked: Asked, who: readonly Role[]): boolean =>
  isConsentRead(asked) && who.includes(asked.who);
const PURPOSE_RESEARCH: readonly Role[] = ['clinicianResearching', 'researcher'];

const type = (code: string) => ({ system: SYSTEM.resourceType, code });
const purpose = (code: string) => ({ system: SYSTEM.actReason, code });
const LABEL_HIV = { system: SYSTEM.actCode, code: 'HIV' };
const one =
  (
    rule: 'OPTIN' | 'OPTOUT',
    provision: (accounts: Accounts, id: string) => FhirProvision,
  ): State['consents'] =>
  (accounts, id) => [fhirConsent(rule, provision(accounts, id))];
const toHospital = ({ hospital }: Accounts) => ({ actor: [actor(hospital)] });

export const STATES: readonly State[] = [
  { name: 'none', consents: () => [], said: () => [] },
  {
    name: 'the other hospital may read',
    consents: one('OPTIN', toHospital),
    said: (asked) => [permit(reads(asked, OTHER_HOSPITAL))],
  },
  {
    name: 'observations for research',
    consents: one('OPTIN', ({ researcher }) => ({
      actor: [actor(researcher)],
      purpose: [purpose('HRESCH')],
      class: [type('Observation')],
    })),
    said: (asked) => [permit(reads(asked, ['researcher']) && asked.kind.type === 'Observation')],
  },
  {
    name: 'what is about hiv to the other hospital',
    consents: one('OPTIN', (accounts) => ({ ...toHospital(accounts), securityLabel: [LABEL_HIV] })),
    said: (asked) => [permit(reads(asked, OTHER_HOSPITAL) && asked.labels.includes('hiv'), ['hiv'])],
  },
  {
    name: 'restricted and less to the other hospital',
    consents: one('OPTIN', (accounts) => ({
      ...toHospital(accounts),
      securityLabel: [{ system: SYSTEM.confidentiality, code: 'R' }],
    })),
    said: (asked) => [permit(reads(asked, OTHER_HOSPITAL), RESTRICTED)],
  },
  {
    name: 'narrowed to conditions',
    consents: (accounts) => [
      fhirConsent('OPTIN', toHospital(accounts)),
      fhirConsent('OPTIN', { ...toHospital(accounts), class: [type('Condition')] }),
    ],
    becomes: 'replaced',
    said: (asked) => [permit(reads(asked, OTHER_HOSPITAL) && asked.kind.type === 'Condition')],
  },
  { name: 'revoked', consents: one('OPTIN', () => ({})), becomes: 'revoked', said: () => [] },
  { name: 'expired', consents: one('OPTIN', () => ({})), becomes: 'expired', said: () => [] },
  { name: 'not yet', consents: one('OPTIN', () => ({ period: { start: '2090-01-01' } })), said: () => [] },
  { name: 'nobody', consents: one('OPTOUT', () => ({})), said: () => [deny(true)] },
  {
    name: 'not this clinician',
    consents: one('OPTOUT', ({ clinician }) => ({ actor: [actor(clinician)] })),
    said: ({ who }) => [deny(who === 'clinician' || who === 'clinicianResearching')],
  },
  {
    name: 'the other hospital, but no conditions',
    consents: one('OPTIN', (accounts) => ({
      ...toHospital(accounts),
      provision: [{ type: 'deny', class: [type('Condition')] }],
    })),
    said: (asked) => [
      OTHER_HOSPITAL.includes(asked.who) && asked.kind.type === 'Condition'
        ? deny(true)
        : permit(reads(asked, OTHER_HOSPITAL)),
    ],
  },
  {
    name: 'nobody but who treats here',
    consents: one('OPTOUT', ({ clinician }) => ({
      provision: [{ type: 'permit', actor: [actor(clinician)], purpose: [purpose('TREAT')] }],
    })),
    said: (asked) => [asked.who === 'clinician' ? permit(isConsentRead(asked)) : deny(true)],
  },
  {
    name: 'all, and not the insurer',
    consents: ({ insurer }) => [fhirConsent('OPTIN'), fhirConsent('OPTOUT', { actor: [actor(insurer)] })],
    said: (asked) => [permit(isConsentRead(asked)), deny(asked.who === 'insurer')],
  },
  {
    name: 'heart rates to the insurer',
    consents: one('OPTIN', ({ insurer }) => ({
      actor: [actor(insurer)],
      code: [concept(SYSTEM.loinc, '8867-4')],
    })),
    said: (asked) => [permit(reads(asked, ['insurer']) && asked.kind.loinc === '8867-4')],
  },
  {
    name: 'the other hospital may read and add',
    consents: one('OPTIN', (accounts) => ({
      ...toHospital(accounts),
      action: [concept(SYSTEM.action, 'access'), concept(SYSTEM.action, 'collect')],
    })),
    said: ({ who, action }) => [permit(OTHER_HOSPITAL.includes(who) && action !== 'correct')],
  },
  {
    name: 'the other hospital may add, and not read',
    consents: one('OPTIN', (accounts) => ({
      ...toHospital(accounts),
      action: [concept(SYSTEM.action, 'collect')],
    })),
    said: ({ who, action }) => [permit(OTHER_HOSPITAL.includes(who) && action === 'collect')],
  },
  {
    name: 'whoever researches',
    consents: one('OPTIN', () => ({ purpose: [purpose('HRESCH')] })),
    said: (asked) => [permit(reads(asked, PURPOSE_RESEARCH))],
  },
  {
    name: 'nothing about hiv',
    consents: one('OPTOUT', () => ({ securityLabel: [LABEL_HIV] })),
    said: ({ labels }) => [deny(labels.includes('hiv'))],
  },
  {
    name: 'since 2020 for research',
    consents: one('OPTIN', ({ researcher }) => ({
      actor: [actor(researcher)],
      dataPeriod: { start: '2020' },
    })),
    said: (asked) => [permit(reads(asked, ['researcher']) && (asked.kind.year ?? 0) >= 2020)],
  },
  {
    name: 'a report and what it refers to',
    consents: one('OPTIN', ({ researcher }, id) => ({
      actor: [actor(researcher)],
      data: [{ meaning: 'related', reference: { reference: `DiagnosticReport/${id}-rep` } }],
    })),
    said: (asked) => [
      permit(reads(asked, ['researcher']) && ['rep', 'hr', 'enc', 'patient'].includes(asked.kind.name)),
    ],
  },
  {
    name: 'not the delegate',
    consents: one('OPTOUT', ({ delegate }) => ({ actor: [actor(delegate)] })),
    said: ({ who }) => [deny(who === 'delegate')],
  },
];

/** docs/consent.md, "Without a consent". */
function byDefault(who: Role, action: Action): boolean {
  if (who === 'self' || who === 'delegate') return action === 'access';
  if (who === 'device') return action !== 'access';
  return who === 'clinician';
}

/** The patient always reads; else no consent may deny, something must permit, and each label must be covered. */
function allows(asked: Asked, state: State): boolean {
  if (asked.who === 'self' && asked.action === 'access') return true;
  const said = state.said(asked).filter((item) => item !== undefined);
  if (said.some(({ says }) => says === 'deny')) return false;
  const isDefault = byDefault(asked.who, asked.action);
  if (!isDefault && said.length === 0) return false;
  return isDefault || asked.labels.every((label) => said.some(({ covers }) => covers.includes(label)));
}

export function maySee(who: Role, kind: Kind, state: State): boolean {
  return allows({ who, action: 'access', kind, labels: kind.labels }, state);
}

/** Whether the part that carries a label is shown, of a record that is. */
export function maySeePart(who: Role, kind: Kind, state: State): boolean {
  return (
    kind.part !== undefined &&
    allows({ who, action: 'access', kind, labels: [...kind.labels, kind.part] }, state)
  );
}

export function mayAdd(who: Role, kind: Kind, state: State): boolean {
  return allows({ who, action: 'collect', kind, labels: kind.labels }, state);
}

/** Whether the record itself may be written, whatever parts of it are hidden. */
export function mayWrite(who: Role, kind: Kind, state: State): boolean {
  return allows({ who, action: 'correct', kind, labels: kind.labels }, state);
}

/** Who sees a part only of what is there would destroy the rest by writing it back. */
export function mayChange(who: Role, kind: Kind, state: State): boolean {
  if (kind.part === undefined) return mayWrite(who, kind, state);
  return (
    mayWrite(who, kind, state) &&
    allows({ who, action: 'correct', kind, labels: [...kind.labels, kind.part] }, state)
  );
}

const LABELS = ['genetic', 'hiv', 'mental-health', 'reproductive', 'restricted', 'substance-use'];

/** Whether the record is shown uncut: what is withheld of any label, there or not, is cut out together with free text. */
export function maySeeUncut(who: Role, kind: Kind, state: State): boolean {
  const shows = (action: Action, label: string): boolean =>
    allows({ who, action, kind, labels: [...kind.labels, label] }, state);
  return LABELS.every((label) => shows('access', label) && shows('correct', label));
}
