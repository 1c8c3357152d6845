/** Key files of made-up parties, by what they are for. */
export const DEMO_KEYS = {
  clinician: 'clinician.key.json',
  researcher: 'researcher.key.json',
  institute: 'institute.key.json',
  insurer: 'insurer.key.json',
} as const;
