/** The consent decision: terms, their normalisation from FHIR, and the rules. Pure. */

export { type DecisionInput, decide, decideAccess } from './decide.ts';
export { CLINICIAN_ROLES, type CustodianPolicy, defaultCustodianPolicy } from './default-policy.ts';
export type { ConsentTermsError, ConsentTermsErrorCode } from './fhir-element.ts';
export { parseDateTime, type TimeSpan } from './fhir-period.ts';
export { type NormaliseOptions, normaliseConsent } from './normalise.ts';
export { ACCOUNT_URN } from './normalise-actor.ts';
export {
  type AccessRequest,
  type ActiveConsent,
  type DataTime,
  type Decision,
  type DecisionReason,
  ENGINE_VERSION,
  type HeldContent,
  type Obligation,
  type RequestActor,
  type RequestCoding,
  type RequestResource,
} from './request.ts';
export { isDirectoryType, isPatientCompartmentType, isResourceType, isSharedType } from './resource-types.ts';
export {
  CONFIDENTIALITY_SYSTEM,
  isPurpose,
  LABEL_SYSTEM,
  PURPOSES,
  purposeWithin,
  SEALED,
  SENSITIVITY_CODES,
  SENSITIVITY_LABELS,
  TERMINOLOGY_VERSION,
} from './terminology.ts';
export {
  type ActorTerm,
  type ConsentTerms,
  type DataTerm,
  decodeConsentTerms,
  type Effect,
  END_OF_TIME_MS,
  encodeConsentTerms,
  type ProvisionTerms,
  START_OF_DATA_MS,
  type TermsDecodeError,
  termsCommitment,
} from './terms.ts';
