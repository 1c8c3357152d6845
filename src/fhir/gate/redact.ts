import { isDefining, labelsWithin } from '../labels/assign.ts';
import type { LabelTable } from '../labels/index.ts';
import { isObject, type Json, type JsonObject } from '../labels/resource-walk.ts';
import { idsOfRemoved, refersTo, withoutUnnamedContained } from './redact-contained.ts';

/** References to these carry a name that says nothing about health. Every other `.display` may repeat a diagnosis. */
const HARMLESS_DISPLAY = new Set([
  'Patient',
  'Practitioner',
  'PractitionerRole',
  'Organization',
  'Location',
  'RelatedPerson',
  'HealthcareService',
  'Endpoint',
]);

/** How many parts there were, and what they were like together. */
const TELLS_OF_PARTS: Readonly<Record<string, readonly string[]>> = {
  Bundle: ['total', 'signature'],
  Claim: ['total'],
  ClaimResponse: ['adjudication', 'total', 'payment'],
  ExplanationOfBenefit: ['adjudication', 'total', 'payment'],
  Group: ['quantity'],
  ImagingStudy: ['numberOfSeries', 'numberOfInstances'],
  Invoice: ['totalPriceComponent', 'totalNet', 'totalGross'],
};

/** Their items have numbers: one that is left out would tell of an item. */
const NUMBERED = new Set([
  'careTeam', 'diagnosis', 'insurance', 'item', 'lineItem', 'procedure', 'processNote', 'supportingInfo',
]); // biome-ignore format: a list of names
const NUMBERS = ['sequence', 'rank', 'number'];
/** Lists of such numbers, and of notes: `diagnosisSequence: [1, 2]` tells of a second diagnosis. */
const POINTERS = /^_?([A-Za-z]+Sequence|noteNumber)$/;

const MASKED = {
  url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason',
  valueCode: 'masked',
};
const REDACTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'REDACTED' };

/**
 * A view for somebody who may not see these labels. It always looks the same: no narrative, no `.display` of a reference to
 * health data, no numbers that point to other items, and the REDACTED tag, so that none of them tells whether something was
 * there. What carries a withheld label goes: contained resources, and items of a top-level element.
 */
export function redactResource(
  resource: JsonObject,
  withheld: readonly string[],
  table: LabelTable,
): JsonObject {
  const removedIds = idsOfRemoved(resource, (item) => carries(item, withheld, table));
  const tells = TELLS_OF_PARTS[String(resource.resourceType)] ?? [];
  const kept: Record<string, Json> = {};
  for (const [element, value] of Object.entries(resource)) {
    if (element === 'text' || element === '_text' || value === undefined) continue;
    if (tells.includes(element.replace(/^_/, ''))) continue;
    const rest =
      isDefining(element) || element === 'id' || element === 'resourceType'
        ? value
        : withoutWithheld(value, withheld, table, removedIds, element.startsWith('_'));
    if (rest === undefined) continue;
    const plain = withoutTells(rest);
    kept[element] = NUMBERED.has(element) ? NUMBERS.reduce(renumbered, plain) : plain;
  }
  return { ...withoutUnnamedContained(kept), meta: withRedactedTag(kept.meta, withheld, table) };
}

const carries = (value: Json, withheld: readonly string[], table: LabelTable): boolean => {
  const labels = labelsWithin(Array.isArray(value) ? value : [value], table);
  return withheld.some((label) => labels.has(label));
};

function withoutWithheld(
  value: Json,
  withheld: readonly string[],
  table: LabelTable,
  removedIds: ReadonlySet<string>,
  isBesideValues: boolean,
): Json | undefined {
  const isWithheld = (item: Json): boolean => carries(item, withheld, table) || refersTo(item, removedIds);
  if (!Array.isArray(value)) return isWithheld(value) ? undefined : value;
  // What stands beside the values of a primitive (`_instantiatesUri`) stays beside its own.
  const items = isBesideValues
    ? value.map((item: Json) => (isWithheld(item) ? null : item))
    : value.filter((item: Json) => !isWithheld(item));
  return items.every((item) => item === null) ? undefined : items;
}

function withoutTells(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutTells);
  if (!isObject(value)) return value;
  const hidesDisplay = isReference(value) && !hasHarmlessTarget(value);
  const kept: Record<string, Json> = {};
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined || (hidesDisplay && (name === 'display' || name === '_display'))) continue;
    if (Array.isArray(item) && POINTERS.test(name)) continue;
    // The narrative of a contained resource or of a section says in words what the codes say.
    if ((name === 'text' || name === '_text') && isObject(item) && 'div' in item) continue;
    kept[name] = withoutTells(item);
  }
  // R4 knows no empty element.
  return hidesDisplay && Object.keys(kept).length === 0 ? { extension: [MASKED] } : kept;
}

/** The numbers that these items would have if there were no others, in the same order. */
function renumbered(value: Json, name: string): Json {
  if (!Array.isArray(value)) return value;
  const numbers = value.map((item: Json) => (isObject(item) ? item[name] : undefined));
  const inOrder = [...new Set(numbers.filter((one) => typeof one === 'number'))].sort((a, b) => a - b);
  const anew = new Map<Json | undefined, number>(inOrder.map((number, place) => [number, place + 1]));
  return value.map((item: Json, place) => {
    const number = anew.get(numbers[place]);
    return number !== undefined && isObject(item) ? { ...item, [name]: number } : item;
  });
}

/** A Reference may have nothing but a type and a display. What has a code beside its display is a Coding, or like one. */
const isReference = (value: JsonObject): boolean =>
  typeof value.reference === 'string' ||
  isObject(value.identifier) ||
  (('display' in value || '_display' in value) && value.code === undefined);

function hasHarmlessTarget({ reference, type }: JsonObject): boolean {
  const target =
    typeof reference === 'string'
      ? /(?:^|\/)([A-Za-z]+)\/[A-Za-z0-9.-]+(?:\/_history\/[^/]+)?$/.exec(reference)?.[1]
      : type;
  return typeof target === 'string' && HARMLESS_DISPLAY.has(target);
}

/** Whether this is such a view, by the tag that it carries. */
export function isRedactedView({
  meta,
}: {
  readonly meta?: { readonly security?: unknown } | undefined;
}): boolean {
  const security = Array.isArray(meta?.security) ? meta.security : [];
  return security.some((item) => item?.system === REDACTED.system && item?.code === REDACTED.code);
}

function withRedactedTag(meta: Json | undefined, withheld: readonly string[], table: LabelTable): JsonObject {
  const base = isObject(meta) ? meta : {};
  const security = Array.isArray(base.security)
    ? base.security.filter((item: Json) => !carries(item, withheld, table))
    : [];
  return { ...base, security: [...security, REDACTED] };
}
