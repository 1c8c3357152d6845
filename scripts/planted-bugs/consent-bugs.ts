import type { PlantedBug } from './planted-bug.ts';

const DECISION = ['src/contracts/consent/decision/decide.test.ts'];
const LINKED = ['tests/fhir-linked-records.test.ts'];
const OPEN = ['tests/fhir-open-placement.test.ts'];
const SEALED = ['tests/sealed-records.test.ts'];

/** Whose a record is, and how far a denial reaches. */
export const CONSENT_BUGS: readonly PlantedBug[] = [
  {
    name: 'linked-to-nobody',
    promise: 'what names no patient is under the patients of what it refers to',
    file: 'src/fhir/repository/linked-records.ts',
    find: 'const isSettled = own.isAboutKnown || direct.placed.length > 0 || !speaksOfPatients(type);',
    replace: 'const isSettled = true;',
    tests: LINKED,
    inSlice: true,
  },
  {
    name: 'open-placement-open-to-all',
    promise: 'what may be somebody’s, and nobody can tell whose, is for who wrote it alone',
    file: 'src/fhir/gate/evidence.ts',
    find: 'return isClosed ? closedToOthers(decision) : decision;',
    replace: 'void [isClosed, closedToOthers]; return decision;',
    tests: OPEN,
    inSlice: true,
  },
  {
    name: 'taker-of-part-for-subject',
    promise: 'who only takes part in a record does not stand for whom it is about',
    file: 'src/fhir/repository/linked-records.ts',
    find: 'const isSettled = own.isAboutKnown ||',
    replace: 'const isSettled = own.subject !== null ||',
    tests: LINKED,
    inSlice: false,
  },
  {
    name: 'former-nobodys-unasked',
    promise: 'a version that was nobody’s is asked of the patients of what its record has become',
    file: 'src/fhir/repository/labels-of-now.ts',
    find: 'const marks = isUntold(record) ? marksOfNow(current, record.subject) : [];',
    replace: 'const marks: string[] = []; void marksOfNow;',
    tests: LINKED,
    inSlice: false,
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
  {
    name: 'sealed-copy-for-others',
    promise: 'the copy of a sealed record is for its patient alone, whoever else may see the record',
    file: 'src/fhir/gate/sealed-copy.ts',
    find: "if (isPatients || decision.effect === 'deny') return decision;",
    replace: 'if (isPatients !== undefined) return decision;',
    tests: SEALED,
    inSlice: false,
  },
  {
    name: 'sealed-copy-past-the-gate',
    promise: 'the copy of a sealed record is decided on and logged as any read',
    file: 'src/node/wallet/sealed-records.ts',
    find: 'const given = await node.gate.sealedCopy(',
    replace:
      "const given = { outcome: 'permitted', copy: await record.sealedCopy(), promise: '', otherPromises: [] } as never; void String(",
    tests: SEALED,
    inSlice: false,
  },
  {
    name: 'sealed-copy-unchecked',
    promise: 'a wallet takes no sealed copy that is not what its commitment says',
    file: 'src/client/wallet/sealed-copy.ts',
    find: 'if (equalBytes(recordCommitment(salt, copy, copy.subject, plaintext), copy.commitment))',
    replace: 'if (equalBytes(salt, salt))',
    tests: SEALED,
    inSlice: false,
  },
];
