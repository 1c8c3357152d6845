import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { applyRegistration, checkRegistration, type Registration, readRegistration } from './registration.ts';

/** A custodian binds a patient's key, and so a pseudonym, to itself. Whose it is, only the custodian's vault knows. */
export const enrolPatient = sealAction<Registration>({
  contract: CONTRACT.registry,
  action: 4,
  name: 'enrol-patient',
  decode: (parts) => decodeSinglePart(parts, readRegistration),
  check(state, context, registration) {
    if (registration.roles.length > 0) return RESULT_CODES['unknown-role'];
    return checkRegistration(state, context, registration);
  },
  apply: (state, context, registration) => applyRegistration(state, context, registration, 'patient'),
});
