/** Roles a party may hold, by number on the ledger. A fixed table: a role is never free text. Appended, never changed. */
export const ROLES = {
  'registry-admin': 1,
  physician: 2,
  nurse: 3,
  pharmacist: 4,
  'laboratory-technician': 5,
  radiologist: 6,
  'mental-health-professional': 7,
  researcher: 8,
  'claims-processor': 9,
  'health-information-manager': 10,
  regulator: 11,
  auditor: 12,
  hospital: 20,
  laboratory: 21,
  pharmacy: 22,
  insurer: 23,
  'research-institute': 24,
  'public-health-agency': 25,
  'medical-device': 30,
  'software-application': 31,
} as const;

export type Role = keyof typeof ROLES;

const NAMES = new Map<number, Role>(Object.entries(ROLES).map(([name, code]) => [code, name as Role]));

export function roleName(code: number): Role | undefined {
  return NAMES.get(code);
}
