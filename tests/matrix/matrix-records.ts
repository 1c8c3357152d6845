/** The records of the matrix: for each consent state a patient, with one record of each kind and a canary in each. */
import { SYSTEM } from '../consent/fhir-consent.ts';
import { KINDS, type Kind } from './matrix-oracle.ts';

export type Json = Record<string, unknown>;

export const CANARY_SYSTEM = 'urn:matrix';
export const canaryOf = (patientId: string, kind: string): string => `cnry-${patientId}-${kind}-x`;
export const CANARY = /cnry-(m\d\d)-([a-z]+)-x/g;
/** In the part of a record that only some may see. */
export const partOf = (patientId: string): string => `part-${patientId}-x`;
export const PART = /part-(m\d\d)-x/g;

export const idOf = (patientId: string, kind: Kind): string =>
  kind.name === 'patient' ? patientId : `${patientId}-${kind.name}`;
/** A part is found by an identifier of its own. */
export const partUrl = (patientId: string): string => `${CANARY_SYSTEM}%7C${partOf(patientId)}`;
export const urlOf = (patientId: string, kind: Kind): string => `${kind.type}/${idOf(patientId, kind)}`;

const ICD = 'http://hl7.org/fhir/sid/icd-10-cm';
const coding = (system: string, code: string) => ({ coding: [{ system, code }] });

/** The resource of a kind under an id; what is written beside the fixed records has another identifier than a canary. */
export function recordOf(
  patientId: string,
  kind: Kind,
  id = idOf(patientId, kind),
  value = canaryOf(patientId, kind.name),
  hasPart = true,
): Json {
  const base = { resourceType: kind.type, id, identifier: [{ system: CANARY_SYSTEM, value }] };
  const subject = { reference: `Patient/${patientId}` };
  const encounter = { reference: `Encounter/${patientId}-enc` };
  switch (kind.name) {
    case 'patient':
      return { ...base, name: [{ family: value }], gender: 'female', birthDate: '1980-05-01' };
    case 'enc':
      return {
        ...base,
        status: 'finished',
        class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
        subject,
        period: { start: '2026-03-01T10:00:00Z', end: '2026-03-01T11:00:00Z' },
      };
    case 'hr':
    case 'old':
      return {
        ...base,
        status: 'final',
        code: coding(SYSTEM.loinc, kind.loinc as string),
        subject,
        encounter,
        effectiveDateTime: `${kind.year}-03-01T10:00:00Z`,
        valueQuantity: { value: 72, unit: 'x', system: 'http://unitsofmeasure.org', code: '1' },
      };
    case 'dm':
    case 'hiv':
    case 'dep':
      return { ...base, code: coding(ICD, { dm: 'E11.9', hiv: 'B20', dep: 'F32.1' }[kind.name]), subject };
    case 'med':
      return {
        ...base,
        status: 'active',
        intent: 'order',
        medicationCodeableConcept: { text: 'tablets' },
        subject,
        authoredOn: '2026-03-01',
      };
    case 'alg':
      return {
        ...base,
        code: { text: 'nuts' },
        clinicalStatus: coding('http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', 'active'),
        patient: subject,
      };
    case 'rep':
      return {
        ...base,
        status: 'final',
        code: { text: 'report' },
        subject,
        encounter,
        effectiveDateTime: '2026-03-01',
        result: [{ reference: `Observation/${patientId}-hr` }],
      };
    case 'ref':
      return {
        ...base,
        status: 'active',
        intent: 'order',
        code: { text: 'referral' },
        subject,
        authoredOn: '2026-03-01',
        ...(hasPart && {
          identifier: [
            ...base.identifier,
            { type: coding(ICD, 'B20'), system: CANARY_SYSTEM, value: partOf(patientId) },
          ],
          reasonCode: [{ ...coding(ICD, 'B20'), text: partOf(patientId) }],
        }),
      };
    case 'proc':
      return {
        ...base,
        status: 'completed',
        code: { text: 'stitches' },
        subject,
        performedDateTime: '2026-03-01',
      };
    case 'imm':
      return {
        ...base,
        status: 'completed',
        vaccineCode: { text: 'tetanus' },
        patient: subject,
        occurrenceDateTime: '2026-03-01',
      };
    default:
      return provenance(patientId, id, value);
  }
}

/** Points to all the patient's records, for includes, chains and their reverse. */
function provenance(patientId: string, id: string, value: string): Json {
  const targets = KINDS.filter(({ name }) => name !== 'prov');
  return {
    resourceType: 'Provenance',
    id,
    target: targets.map((kind) => ({ reference: urlOf(patientId, kind) })),
    recorded: '2026-03-01T10:00:00Z',
    policy: [`urn:${value}`],
    agent: [{ who: { display: 'the front desk' } }],
  };
}
