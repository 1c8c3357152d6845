import { SENSITIVITY_CODES, SENSITIVITY_LABELS } from '../../contracts/index.ts';
import { type Category, categoryOfLabels } from '../../vault/index.ts';
import {
  isOtherSensitivity,
  type LabelTable,
  labelsOfBareMark,
  labelsOfCoding,
  labelsOfLevel,
  labelsOfSecurity,
} from './label-table.ts';
import { isStoredMark } from './named-patients.ts';
import {
  codingsOf,
  forEachObject,
  isObject,
  type Json,
  type JsonObject,
  localReferencesOf,
  referencesOf,
} from './resource-walk.ts';
import { LABELS_OF_TYPE } from './value-sets.ts';

/** Labels of the record itself, and labels that only parts of it carry, which can be taken out. Sorted, disjoint. */
export interface LabelAssignment {
  readonly own: readonly string[];
  readonly parts: readonly string[];
  /**
   * There where a record that says what this one is was missing when it was written: which of `own` it has for that alone. They
   * last until it is written again.
   */
  readonly provisional?: readonly string[];
}

/** Stands for the labels of a record that says what another one is, and is not there. Whatever it is: `restricted`. */
export const UNDEFINED_YET = 'undefined-yet';

/**
 * Top-level elements that say what a record is. A sensitive code there makes the whole record sensitive; anywhere else it
 * makes that part sensitive.
 */
const DEFINING = new Set([
  'category',
  'class',
  'code',
  'conclusionCode',
  'medicationCodeableConcept',
  'medicationReference',
  'meta',
  'productCodeableConcept',
  'securityLabel',
  'serviceCategory',
  'serviceType',
  'specialty',
  'subType',
  'test',
  'title',
  'type',
  'vaccineCode',
  'valueCodeableConcept',
]);

/** Whether a top-level element says what the record is. */
export const isDefining = (element: string): boolean => DEFINING.has(element);

/** References whose target says what the record is: its labels are the record's too (`inherited`). */
export function definingReferences(resource: unknown, ownBase: string): string[] {
  if (!isObject(resource)) return [];
  const medications = [resource, ...containedWithin(resource.contained)].filter(
    ({ resourceType }) => resourceType === 'Medication',
  );
  return [resource.medicationReference, ...medications.map(({ ingredient }) => ingredient)].flatMap((value) =>
    localReferencesOf(value, ownBase),
  );
}

export interface AssignOptions {
  /** Labels as stored with the version before: they stay. */
  readonly previous?: readonly string[];
  /** Labels of the records that `definingReferences` names; `UNDEFINED_YET` for one that is not there. */
  readonly inherited?: readonly string[];
}

/** The labels of a resource at write: by its type, every coding at any depth, contained resources and security labels. */
export function assignLabels(
  resource: unknown,
  table: LabelTable,
  options: AssignOptions = {},
): LabelAssignment {
  const previous = readStoredLabels((options.previous ?? []).filter((label) => label !== UNDEFINED_YET));
  const inherited = (options.inherited ?? []).filter((label) => label !== UNDEFINED_YET);
  const found = isObject(resource)
    ? findLabels(resource, table)
    : { own: new Set<string>(), parts: new Set<string>() };
  const own = new Set([...previous.own, ...inherited, ...found.own]);
  const parts = new Set([...previous.parts, ...found.parts]);
  return toAssignment(own, parts, options.inherited?.includes(UNDEFINED_YET) === true);
}

function toAssignment(
  own: ReadonlySet<string>,
  parts: ReadonlySet<string>,
  isUndefined: boolean,
): LabelAssignment {
  const provisional = isUndefined && !own.has('restricted') ? ['restricted'] : [];
  return {
    own: [...own, ...provisional].sort(),
    parts: [...parts].filter((label) => !own.has(label)).sort(),
    ...(isUndefined && { provisional }),
  };
}

function findLabels(resource: JsonObject, table: LabelTable): { own: Set<string>; parts: Set<string> } {
  const own = new Set([...typeLabels(resource), ...bareMarks(resource).flatMap(labelsOfBareMark)]);
  const parts = new Set<string>();
  for (const [element, value] of Object.entries(resource)) {
    for (const label of labelsWithin(value, table)) (isDefining(element) ? own : parts).add(label);
  }
  for (const label of definingContained(resource, table)) own.add(label);
  if (!own.has('restricted') || statesOther(resource)) return { own, parts };
  return { own: withoutExplained(own), parts };
}

/** `meta.security` R beside PSY is R because of PSY; alone, it is a label of its own. */
function withoutExplained(labels: ReadonlySet<string>): Set<string> {
  const explained = [...labels].some((label) => label !== 'restricted' && label !== 'sealed');
  return new Set([...labels].filter((label) => label !== 'restricted' || !explained));
}

/** Violence beside PSY is not because of PSY. */
function statesOther(resource: JsonObject): boolean {
  return codingsOf(resource).some(isOtherSensitivity);
}

/** By its type; a Composition has its confidentiality as a plain code (R4 composition, "confidentiality"). */
function typeLabels({ resourceType, confidentiality }: JsonObject): readonly string[] {
  if (resourceType === 'Composition') return labelsOfLevel(confidentiality);
  const label = typeof resourceType === 'string' ? LABELS_OF_TYPE.get(resourceType) : undefined;
  return label === undefined ? [] : [label];
}

/** Every label that something at or below `value` gives: codings, security labels, and types of resources within. */
export function labelsWithin(value: Json | undefined, table: LabelTable): ReadonlySet<string> {
  const labels = new Set<string>();
  const add = (found: readonly string[]): void => {
    for (const label of found) labels.add(label);
  };
  forEachObject(value, (object) => {
    const { system, code, resourceType } = object;
    if (typeof resourceType === 'string') add(typeLabels(object));
    for (const mark of bareMarks(object)) add(labelsOfBareMark(mark));
    if (typeof system !== 'string' || typeof code !== 'string') return;
    add(labelsOfCoding(table, { system, code }));
    add(labelsOfSecurity({ system, code }));
  });
  return labels;
}

/** Codes without a system among an object's security labels (R4 Meta.security, DocumentReference.securityLabel and the like). */
function bareMarks({ security, securityLabel }: JsonObject): string[] {
  const codes: string[] = [];
  for (const marks of [security, securityLabel])
    forEachObject(marks, ({ system, code }) => {
      if (system === undefined && typeof code === 'string') codes.push(code);
    });
  return codes;
}

function containedWithin(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** What `medicationReference: #med` points to is what is prescribed, not a part that could be left out. */
function definingContained(resource: JsonObject, table: LabelTable): Iterable<string> {
  const ids = new Set(
    referencesOf(resource.medicationReference).filter((reference) => reference.startsWith('#')),
  );
  const targets = containedWithin(resource.contained).filter(
    ({ id }) => typeof id === 'string' && ids.has(`#${id}`),
  );
  return targets.flatMap((target) => [...labelsWithin([target], table)]);
}

const PART_PREFIX = 'part:';

/** Labels as the vault stores them beside a record, and the category whose key protects it. */
export function toStoredLabels({ own, parts, provisional }: LabelAssignment): {
  readonly labels: string[];
  readonly category: Category;
} {
  const kept = own.filter((label) => !provisional?.includes(label));
  const mark = provisional === undefined ? [] : [UNDEFINED_YET];
  return {
    labels: [...kept, ...parts.map((label) => PART_PREFIX + label), ...mark],
    category: categoryOfLabels([...own, ...parts]),
  };
}

/** Reads stored labels. HL7 codes become labels; a label nobody knows counts as `restricted`, never as nothing. */
export function readStoredLabels(stored: readonly string[]): LabelAssignment {
  const own = new Set<string>();
  const parts = new Set<string>();
  for (const text of stored) {
    if (text === 'general' || text === UNDEFINED_YET || isStoredMark(text)) continue;
    const isPart = text.startsWith(PART_PREFIX);
    const name = isPart ? text.slice(PART_PREFIX.length) : text;
    const labels = SENSITIVITY_LABELS.includes(name)
      ? [name]
      : (SENSITIVITY_CODES.get(name)?.labels ?? ['restricted']);
    for (const label of labels) (isPart ? parts : own).add(label);
  }
  return toAssignment(own, parts, stored.includes(UNDEFINED_YET));
}
