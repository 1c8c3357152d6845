/** What `careledger consent grant` was asked for, in the words of its options. */
export interface ConsentWish {
  patientId: string;
  to: string[];
  purposes: string[];
  actions: string[];
  types: string[];
  codes: string[];
  withhold: string[];
  includeSensitive: boolean;
  fromMs: number;
  untilMs: number;
  nowMs: number;
}

const CODE_SYSTEM = 'http://terminology.hl7.org/CodeSystem';
/** The labels of this system and the code of HL7 v3 ActCode that says the same in a FHIR Consent. */
const LABEL_CODES: Record<string, { system: string; code: string }> = {
  'mental-health': { system: `${CODE_SYSTEM}/v3-ActCode`, code: 'MH' },
  'substance-use': { system: `${CODE_SYSTEM}/v3-ActCode`, code: 'SUD' },
  hiv: { system: `${CODE_SYSTEM}/v3-ActCode`, code: 'HIV' },
  reproductive: { system: `${CODE_SYSTEM}/v3-ActCode`, code: 'SEX' },
  genetic: { system: `${CODE_SYSTEM}/v3-ActCode`, code: 'GDIS' },
  sealed: { system: 'urn:careledger:sensitivity', code: 'sealed' },
  restricted: { system: 'urn:careledger:sensitivity', code: 'restricted' },
};

/** The labels that `--withhold` takes. */
export const LABELS = Object.keys(LABEL_CODES).sort();

/**
 * A FHIR R4 Consent that permits what was asked for, less what is withheld, and says nothing about anything else: a root
 * that denied the rest would also shut out the patient's own hospital.
 */
export function consentResource(wish: ConsentWish): Record<string, unknown> {
  const period = { start: new Date(wish.fromMs).toISOString(), end: new Date(wish.untilMs).toISOString() };
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: `${CODE_SYSTEM}/consentscope`, code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
    patient: { reference: `Patient/${wish.patientId}` },
    dateTime: new Date(wish.nowMs).toISOString(),
    policyRule: { coding: [{ system: `${CODE_SYSTEM}/v3-ActCode`, code: 'OPTIN' }] },
    provision: { ...permitted(wish), period },
  };
}

function permitted(wish: ConsentWish): Record<string, unknown> {
  const withheld = wish.withhold.map((label) => ({ type: 'deny', securityLabel: [LABEL_CODES[label]] }));
  return {
    type: 'permit',
    actor: wish.to.map((account) => ({
      role: { coding: [{ system: `${CODE_SYSTEM}/v3-ParticipationType`, code: 'IRCP' }] },
      reference: { reference: `urn:careledger:account:${account}` },
    })),
    ...listed('action', wish.actions, (code) => ({
      coding: [{ system: `${CODE_SYSTEM}/consentaction`, code }],
    })),
    ...listed('purpose', wish.purposes, (code) => ({ system: `${CODE_SYSTEM}/v3-ActReason`, code })),
    ...listed('class', wish.types, (code) => ({ system: 'http://hl7.org/fhir/resource-types', code })),
    ...listed('code', wish.codes, (text) => ({ coding: [codingOf(text)] })),
    ...(wish.includeSensitive && {
      securityLabel: [{ system: `${CODE_SYSTEM}/v3-Confidentiality`, code: 'R' }],
    }),
    ...(withheld.length === 0 ? {} : { provision: withheld }),
  };
}

/** An empty criterion is left out: FHIR has no empty arrays, and an absent criterion does not narrow. */
function listed(name: string, values: string[], wrap: (value: string) => unknown): Record<string, unknown> {
  return values.length === 0 ? {} : { [name]: values.map(wrap) };
}

function codingOf(text: string): { system: string; code: string } {
  const bar = text.lastIndexOf('|');
  return { system: text.slice(0, bar), code: text.slice(bar + 1) };
}
