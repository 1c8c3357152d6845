/** FHIR Consents for tests, written as a wallet would write them. */
import { type ActiveConsent, type ConsentTerms, normaliseConsent } from '../../src/contracts/index.ts';

export const SYSTEM = {
  actCode: 'http://terminology.hl7.org/CodeSystem/v3-ActCode',
  actReason: 'http://terminology.hl7.org/CodeSystem/v3-ActReason',
  action: 'http://terminology.hl7.org/CodeSystem/consentaction',
  confidentiality: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality',
  label: 'urn:careledger:sensitivity',
  loinc: 'http://loinc.org',
  participation: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType',
  resourceType: 'http://hl7.org/fhir/resource-types',
  role: 'urn:careledger:role',
  scope: 'http://terminology.hl7.org/CodeSystem/consentscope',
} as const;

export interface Coding {
  readonly system: string;
  readonly code: string;
}
export interface Concept {
  readonly coding: readonly Coding[];
}
export interface FhirProvision {
  readonly type?: 'permit' | 'deny';
  readonly period?: { readonly start?: string; readonly end?: string };
  readonly dataPeriod?: { readonly start?: string; readonly end?: string };
  readonly actor?: readonly { readonly role: Concept; readonly reference: { readonly reference: string } }[];
  readonly action?: readonly Concept[];
  readonly purpose?: readonly Coding[];
  readonly class?: readonly Coding[];
  readonly code?: readonly Concept[];
  readonly securityLabel?: readonly Coding[];
  readonly data?: readonly { readonly meaning: string; readonly reference: { readonly reference: string } }[];
  readonly provision?: readonly FhirProvision[];
}

export const concept = (system: string, code: string): Concept => ({ coding: [{ system, code }] });

/** An actor by account; a registry role narrows an organisation to who holds it. */
export const actor = (account: string, role?: string) => ({
  role: role === undefined ? concept(SYSTEM.participation, 'PRCP') : concept(SYSTEM.role, role),
  reference: { reference: `urn:careledger:account:${account}` },
});

export interface FhirConsent {
  readonly policyRule: Concept;
  readonly provision: FhirProvision;
}

/** An active privacy consent of Patient/p1. */
export function fhirConsent(
  rule: 'OPTIN' | 'OPTOUT',
  provision: FhirProvision = {},
): FhirConsent & Record<string, unknown> {
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: concept(SYSTEM.scope, 'patient-privacy'),
    category: [concept(SYSTEM.loinc, '59284-0')],
    patient: { reference: 'Patient/p1' },
    policyRule: concept(SYSTEM.actCode, rule),
    provision,
  };
}

/** Normalised, as the ledger would have it. */
export function activeConsent(number: number, consent: unknown): ActiveConsent {
  return { id: number.toString(16).padStart(64, '0'), version: 1, terms: termsOf(consent) };
}

function termsOf(consent: unknown): ConsentTerms {
  const result = normaliseConsent(consent, { patientReference: 'Patient/p1' });
  if (!result.ok) throw new Error(`The consent of a test is refused: ${JSON.stringify(result.error)}`);
  return result.value;
}
