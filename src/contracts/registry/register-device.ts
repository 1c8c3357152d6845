import { sealAction } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { applyRegistration, checkRegistration, type Registration, readRegistration } from './registration.ts';

/** An organisation registers the key of a device or an application of its own. */
export const registerDevice = sealAction<Registration>({
  contract: CONTRACT.registry,
  action: 3,
  name: 'register-device',
  decode: (parts) => decodeSinglePart(parts, readRegistration),
  check(state, context, registration) {
    return checkRegistration(state, context, registration);
  },
  apply: (state, context, registration) => applyRegistration(state, context, registration, 'device'),
});
