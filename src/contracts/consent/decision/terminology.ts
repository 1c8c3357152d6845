/**
 * The pinned terminology of consent terms: HL7 v3 ActReason, v3 Confidentiality, consentaction and the sensitivity codes
 * of v3 ActCode as FHIR 4.0.1 publishes them (2018-08-12). A change here is a new `TERMINOLOGY_VERSION`, because terms
 * that patients signed must mean tomorrow what they meant when they were signed.
 */
export const TERMINOLOGY_VERSION = 1;

export const ACT_REASON_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';
export const ACT_CODE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
export const CONFIDENTIALITY_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality';
export const CONSENT_ACTION_SYSTEM = 'http://terminology.hl7.org/CodeSystem/consentaction';
export const CONSENT_SCOPE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/consentscope';
export const RESOURCE_TYPE_SYSTEM = 'http://hl7.org/fhir/resource-types';
export const PARTICIPATION_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';
export const LOINC_SYSTEM = 'http://loinc.org';
/** Codes of the labels this system assigns, for what v3 ActCode has no exact code for (`sealed`, `restricted`). */
export const LABEL_SYSTEM = 'urn:careledger:sensitivity';
/** Role codes of the registry, as `Consent.provision.actor.role`. */
export const ROLE_SYSTEM = 'urn:careledger:role';
export const PRACTITIONER_ROLE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/practitioner-role';

/** Each purpose of use and the purpose it specialises (v3 ActReason, PurposeOfUse). */
const PURPOSE_PARENT: ReadonlyMap<string, string> = new Map(
  Object.entries({
    PurposeOfUse: 'HMARKT HOPERAT HPAYMT HRESCH PATRQT PUBHLTH TREAT',
    HOPERAT:
      'CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN MEMADMIN ' +
      'MILCDM PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV TRAIN',
    HSYSADMIN: 'LABELING METAMGT',
    SYSDEV: 'HTEST',
    HPAYMT: 'CLMATTCH COVAUTH COVERAGE REMITADV',
    COVERAGE: 'ELIGDTRM ELIGVER ENROLLM MILDCRG',
    HRESCH: 'BIORCH CLINTRCH DSRCH POARCH TRANSRCH',
    CLINTRCH: 'CLINTRCHNPC CLINTRCHPC PRECLINTRCH',
    PATRQT: 'FAMRQT PWATRNY SUPNWK',
    PUBHLTH: 'DISASTER THREAT',
    TREAT: 'CLINTRL COC ETREAT POPHLTH',
    ETREAT: 'BTG ERTREAT',
  }).flatMap(([parent, children]) => children.split(' ').map((child): [string, string] => [child, parent])),
);

/** Every purpose of use that a request or a provision can name. */
export const PURPOSES: readonly string[] = [...PURPOSE_PARENT.keys()].sort();

/** Whether a code is a purpose of use that a request or a provision can name (the root code names nothing). */
export const isPurpose = (code: string): boolean => PURPOSE_PARENT.has(code);

/** Whether `purpose` is `ancestor` or one of its specialisations. */
export function purposeWithin(purpose: string, ancestor: string): boolean {
  for (let code: string | undefined = purpose; code !== undefined; code = PURPOSE_PARENT.get(code)) {
    if (code === ancestor) return true;
  }
  return false;
}

/** The actions of FHIR R4 `consent-action`. */
export const ACTIONS: readonly string[] = ['access', 'collect', 'correct', 'disclose', 'use'];

/** Confidentiality as a high-water mark. Below N nothing is told apart here, so those codes are refused in a consent. */
export const CONFIDENTIALITY = { none: 0, normal: 4, restricted: 5, veryRestricted: 6 } as const;

export const CONFIDENTIALITY_CODES: ReadonlyMap<string, number> = new Map([
  ['N', CONFIDENTIALITY.normal],
  ['R', CONFIDENTIALITY.restricted],
  ['V', CONFIDENTIALITY.veryRestricted],
]);

/** The label that no default rule reaches: only the patient, and who a consent names in person. */
export const SEALED = 'sealed';

/** The sensitivity labels, sorted. `restricted` is a record marked R or V that no other label explains. */
export const SENSITIVITY_LABELS: readonly string[] = [
  'genetic',
  'hiv',
  'mental-health',
  'reproductive',
  'restricted',
  SEALED,
  'substance-use',
];

/** What a sensitivity code of v3 ActCode covers here; `exact` is false where our label is wider than the code. */
export interface SensitivityCode {
  readonly labels: readonly string[];
  readonly exact: boolean;
}

const code = (exact: boolean, ...labels: string[]): SensitivityCode => ({ labels, exact });

export const SENSITIVITY_CODES: ReadonlyMap<string, SensitivityCode> = new Map([
  ['BH', code(true, 'mental-health', 'substance-use')],
  ['MH', code(true, 'mental-health')],
  ['PSY', code(true, 'mental-health')],
  ['PSYTHPN', code(false, 'mental-health')],
  ['SUD', code(true, 'substance-use')],
  ['ETH', code(true, 'substance-use')],
  ['ETHUD', code(false, 'substance-use')],
  ['OPIOIDUD', code(false, 'substance-use')],
  ['HIV', code(true, 'hiv')],
  ['SEX', code(true, 'reproductive')],
  ['STD', code(false, 'reproductive')],
  ['GDIS', code(true, 'genetic')],
]);

/** `Consent.provision.data.meaning`. */
export const DATA_MEANINGS: readonly string[] = ['authoredby', 'dependents', 'instance', 'related'];

/** Root decision a `policyRule` code of v3 ActConsentDirective states. */
export const POLICY_RULES: ReadonlyMap<string, 'permit' | 'deny'> = new Map([
  ['OPTIN', 'permit'],
  ['OPTINR', 'permit'],
  ['OPTOUT', 'deny'],
  ['OPTOUTE', 'deny'],
]);

/** Participations of who receives or handles the information: the requester. `AUT` is on the side of the data. */
export const RECIPIENT_PARTICIPATIONS: ReadonlySet<string> = new Set(['CST', 'IRCP', 'PRCP', 'RCV', 'TRC']);
export const AUTHOR_PARTICIPATION = 'AUT';
/** Roles of v3 RoleCode that name the requester and say nothing more about it. */
export const RECIPIENT_ROLE_CODES: ReadonlySet<string> = new Set(['DELEGATEE', 'GRANTEE']);
export const ROLE_CODE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-RoleCode';

/** Confidentiality of a record with these labels. */
export function confidentialityOf(labels: readonly string[]): number {
  if (labels.includes(SEALED)) return CONFIDENTIALITY.veryRestricted;
  return labels.length > 0 ? CONFIDENTIALITY.restricted : CONFIDENTIALITY.normal;
}
