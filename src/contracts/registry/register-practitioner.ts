import { sealAction } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { applyRegistration, checkRegistration, type Registration, readRegistration } from './registration.ts';

/** An organisation registers the key of someone who works for it. */
export const registerPractitioner = sealAction<Registration>({
  contract: CONTRACT.registry,
  action: 2,
  name: 'register-practitioner',
  decode: (parts) => decodeSinglePart(parts, readRegistration),
  check(state, context, registration) {
    return checkRegistration(state, context, registration);
  },
  apply: (state, context, registration) => applyRegistration(state, context, registration, 'practitioner'),
});
