import type { PlantedBug } from './planted-bug.ts';

const CONDITIONS = ['tests/fhir-conditions.test.ts'];
const LIMITS = ['tests/fhir-limits.test.ts'];

/** How records are found, and when they are written. */
export const RECORD_BUGS: readonly PlantedBug[] = [
  {
    name: 'reference-as-spelt',
    promise: 'a search finds what is filed under a patient, however the reference is written',
    file: 'src/fhir/search/value-tokens.ts',
    find: 'const target = localTarget(reference, ownBase);',
    replace: "const [type = '', id = ''] = reference.split('/').slice(-2); const target = { type, id };",
    tests: ['tests/fhir-references.test.ts'],
    inSlice: false,
  },
  {
    name: 'condition-of-nothing',
    promise: 'a condition that looks for nothing is met by nothing',
    file: 'src/fhir/search/search-query.ts',
    find: 'if (filters.length === 0 || !filters.every(hasValue))',
    replace: 'if (filters.length > 0 && !filters.some(hasValue))',
    tests: CONDITIONS,
    inSlice: true,
  },
  {
    name: 'condition-of-absence',
    promise: 'a condition that only says what is not there is met by nothing',
    file: 'src/fhir/search/find-matches.ts',
    find: 'if (context.isOfWrite && !plan.saysWhat) throw conditionOfNothing();',
    replace: 'void conditionOfNothing;',
    tests: CONDITIONS,
    inSlice: false,
  },
  {
    name: 'finds-uncounted',
    promise: 'no request takes the node for itself by following links',
    file: 'src/fhir/search/find-matches.ts',
    find: 'await context.scope.budget.countFind();',
    replace: '',
    tests: LIMITS,
    inSlice: false,
  },
  {
    name: 'hidden-part-counted',
    promise: 'no limit tells of what the requester may not see',
    file: 'src/fhir/search/find-matches.ts',
    find: 'const matches = (filter: ContentFilter) => matchesContent(filter, opened, deps.baseUrl());',
    replace:
      'scope.budget.countContent(opened); const matches = (filter: ContentFilter) => matchesContent(filter, opened, deps.baseUrl());',
    tests: LIMITS,
    inSlice: false,
  },
  {
    name: 'lenient-condition',
    promise: 'no parameter of a condition is passed over',
    file: 'src/fhir/repository/care-repository.ts',
    find: 'const context = { ...this.#searchContext(), isLenient: false, isOfWrite: true };',
    replace: 'const context = { ...this.#searchContext(), isOfWrite: true };',
    tests: CONDITIONS,
    inSlice: false,
  },
  {
    name: 'if-match-passed-over',
    promise: 'a write for a version that is not there changes nothing',
    file: 'src/fhir/repository/write-preconditions.ts',
    find: 'if (isUnmatched) throw unmatched();',
    replace: 'void isUnmatched;',
    tests: CONDITIONS,
    inSlice: false,
  },
  {
    name: 'precondition-tells',
    promise: 'a precondition tells nobody of a record that they may not know of',
    file: 'src/fhir/repository/write-preconditions.ts',
    find: 'const isKnown = await mayKnow();',
    replace: 'const isKnown = version !== undefined; void mayKnow;',
    tests: ['tests/fhir-leaks.test.ts'],
    inSlice: false,
  },
];
