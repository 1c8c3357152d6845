/** What a custodian's own people and the patient may do without a consent. A patient's consent can narrow it, never the reverse. */
import type { Role } from '../../registry/role.ts';
import { type AccessRequest, type DecisionReason, isValidRequest } from './request.ts';
import { isDirectoryType, isPatientCompartmentType, isSharedType } from './resource-types.ts';
import { purposeWithin } from './terminology.ts';

export interface CustodianPolicy {
  /** Account id of the custodian, in hexadecimal. */
  readonly custodian: string;
  /** Registry roles of the people who treat. */
  readonly clinicianRoles: readonly string[];
  /** Whether own clinicians may state an emergency (ETREAT, BTG, ERTREAT). The patient is then told. */
  readonly breakGlass: boolean;
}

/** The registry's roles of people who treat. */
export const CLINICIAN_ROLES: readonly Role[] = [
  'physician',
  'nurse',
  'pharmacist',
  'laboratory-technician',
  'radiologist',
  'mental-health-professional',
];

/** The policy a custodian starts with. */
export function defaultCustodianPolicy(custodian: string): CustodianPolicy {
  return {
    custodian,
    clinicianRoles: CLINICIAN_ROLES,
    breakGlass: false,
  };
}

/** A rule that permits, and how far it reaches. */
export interface DefaultRule {
  readonly reason: DecisionReason;
  /** Whether it reaches records with sensitivity labels other than `sealed`. */
  readonly sensitive: boolean;
  readonly sealed: boolean;
  readonly notifyPatient: boolean;
}

const rule = (reason: DecisionReason, reach: Partial<Omit<DefaultRule, 'reason'>> = {}): DefaultRule => ({
  reason,
  sensitive: false,
  sealed: false,
  notifyPatient: false,
  ...reach,
});

const SELF = rule('patient-self', { sensitive: true, sealed: true });
const DELEGATE = rule('patient-delegate', { sensitive: true });
const OWN_CLINICIAN = rule('own-clinician', { sensitive: true });
const BREAK_GLASS = rule('own-break-glass', { sensitive: true, notifyPatient: true });
const INTAKE = rule('own-intake', { sensitive: true });
const SHARED = rule('shared-resource', { sensitive: true });
/** A code in a catalogue or a clinic's speciality says nothing about a patient, so labels do not withhold it. */
const DIRECTORY = rule('directory-resource', { sensitive: true });

/** Whether the requester is the patient of the record. Nothing a consent says keeps patients from reading their own. */
export function isOwnRecord({ actor, resource, action }: AccessRequest): boolean {
  const isSelf =
    actor.kind === 'patient' && actor.patientId !== undefined && actor.patientId === resource.patientId;
  return isSelf && (action === 'access' || action === 'use');
}

/** The default rule for a record in a patient's compartment, if any. */
export function patientRecordRule(policy: CustodianPolicy, request: AccessRequest): DefaultRule | undefined {
  if (isOwnRecord(request)) return SELF;
  if (isDelegate(request)) return DELEGATE;
  return ownStaffRule(policy, request);
}

/** The rule for a record without a patient: shared types to all, patients' types to those who treat, or to nobody. */
export function subjectlessRule(policy: CustodianPolicy, request: AccessRequest): DefaultRule | undefined {
  const { type } = request.resource;
  if (isPatientCompartmentType(type) || !isSharedType(type)) return ownStaffRule(policy, request);
  if (request.action !== 'access') return isWrite(request) ? ownWriter(policy, request) : undefined;
  if (isOwnParty(policy, request)) return SHARED;
  return isDirectoryType(type) && !request.resource.labels.includes('restricted') ? DIRECTORY : undefined;
}

function isDelegate({ actor, resource, action, purpose }: AccessRequest): boolean {
  const isRecorded = resource.delegates?.includes(actor.accountId) ?? false;
  return isRecorded && action === 'access' && purposeWithin(purpose, 'PATRQT');
}

const isOwnParty = (policy: CustodianPolicy, { actor }: AccessRequest): boolean =>
  actor.organisation === policy.custodian;

const isWrite = ({ action }: AccessRequest): boolean => action === 'collect' || action === 'correct';

function isOwnClinician(policy: CustodianPolicy, request: AccessRequest): boolean {
  const { kind, roles } = request.actor;
  return (
    kind === 'practitioner' &&
    isOwnParty(policy, request) &&
    roles.some((role) => policy.clinicianRoles.includes(role))
  );
}

/** Treatment as such, and its coordination. A trial or population health under TREAT needs the patient's consent. */
const isTreatment = (purpose: string): boolean => purpose === 'TREAT' || purpose === 'COC';

function ownStaffRule(policy: CustodianPolicy, request: AccessRequest): DefaultRule | undefined {
  if (request.action === 'disclose') return undefined;
  if (isOwnClinician(policy, request)) {
    if (isTreatment(request.purpose)) return OWN_CLINICIAN;
    return policy.breakGlass && purposeWithin(request.purpose, 'ETREAT') ? BREAK_GLASS : undefined;
  }
  return ownIntake(policy, request);
}

/** The custodian itself and its devices take data in; that lets nothing out. */
function ownIntake(policy: CustodianPolicy, request: AccessRequest): DefaultRule | undefined {
  const isIntake = request.actor.kind === 'organisation' || request.actor.kind === 'device';
  const isPurposeOfIntake = isTreatment(request.purpose) || purposeWithin(request.purpose, 'HOPERAT');
  return isIntake && isPurposeOfIntake && isWrite(request) && isOwnParty(policy, request)
    ? INTAKE
    : undefined;
}

function ownWriter(policy: CustodianPolicy, request: AccessRequest): DefaultRule | undefined {
  return isOwnClinician(policy, request) ? OWN_CLINICIAN : ownIntake(policy, request);
}

/** Whether the inputs are such that the rules can be trusted with them. */
export function isUsable(policy: CustodianPolicy, request: AccessRequest, blockTimeMs: number): boolean {
  return /^[0-9a-f]{64}$/.test(policy.custodian) && isValidRequest(request, blockTimeMs);
}
