import { CONSENT_BUGS } from './consent-bugs.ts';
import { CONSORTIUM_BUGS } from './consortium-bugs.ts';
import { HOSPITAL_BUGS } from './hospital-bugs.ts';
import type { PlantedBug } from './planted-bug.ts';
import { RECORD_BUGS } from './record-bugs.ts';
import { VAULT_BUGS } from './vault-bugs.ts';

export type { PlantedBug } from './planted-bug.ts';

export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...HOSPITAL_BUGS,
  ...CONSENT_BUGS,
  ...RECORD_BUGS,
  ...VAULT_BUGS,
  ...CONSORTIUM_BUGS,
];
