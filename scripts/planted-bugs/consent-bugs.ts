import type { PlantedBug } from './planted-bug.ts';

const DECISION = ['src/contracts/consent/decision/decide.test.ts'];
const LINKED = ['tests/fhir-linked-records.test.ts'];

/** Whose a record is, and how far a denial reaches. */
export const CONSENT_BUGS: readonly PlantedBug[] = [
  {
    name: 'linked-to-nobody',
    promise: 'what names no patient is under the patients of what it refers to',
    file: 'src/fhir/repository/linked-records.ts',
    find: 'if (linked.subject !== null || !speaksOfPatients(resource.resourceType)) return linked;',
    replace: 'if (linked !== undefined) return linked;',
    tests: LINKED,
    inSlice: true,
  },
  {
    name: 'later-link-unasked',
    promise: 'a patient can deny what turned out later to be about them',
    file: 'src/fhir/repository/later-links.ts',
    find: 'if (others.size === 0) return record;',
    replace: 'if (others.size >= 0) return record;',
    tests: LINKED,
    inSlice: true,
  },
  {
    name: 'copy-escapes-denial',
    promise: 'a denial reaches a copy within another record',
    file: 'src/contracts/consent/decision/evaluate.ts',
    find: 'return Math.max(outer, matchHeld(within)) as Match;',
    replace: 'void matchHeld; return outer;',
    tests: DECISION,
    inSlice: true,
  },
  {
    name: 'copy-opens-record',
    promise: 'a permission for what a record holds does not open the record',
    file: 'src/contracts/consent/decision/evaluate.ts',
    find: "if (effect === 'permit' || outer === MET) return outer;",
    replace: 'void effect; if (outer === MET) return outer;',
    tests: DECISION,
    inSlice: true,
  },
  {
    name: 'open-period-ends',
    promise: 'what still goes on is not from before now',
    file: 'src/fhir/gate/content-facts.ts',
    find: 'const afterLast = end === undefined ? END_OF_TIME_MS : parseDateTime(end)?.endMs;',
    replace: 'const afterLast = parseDateTime(end ?? start)?.endMs;',
    tests: ['src/fhir/gate/content-facts.test.ts'],
    inSlice: true,
  },
  {
    name: 'document-marking-ignored',
    promise: 'a document that is marked as sensitive is sensitive as a whole',
    file: 'src/fhir/labels/assign.ts',
    find: "  'securityLabel',\n",
    replace: '',
    tests: ['src/fhir/labels/labels.test.ts'],
    inSlice: true,
  },
  {
    name: 'contained-left-behind',
    promise: 'no contained resource tells that an item which named it was taken out',
    file: 'src/fhir/gate/redact.ts',
    find: '...withoutUnnamedContained(kept)',
    replace: '...kept',
    tests: ['tests/fhir-hidden-parts.test.ts'],
    inSlice: true,
  },
];
