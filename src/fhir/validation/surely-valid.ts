import { type InternalSchemaElement, type InternalTypeSchema, tryGetDataType } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { isJson, type Json, propertiesOf } from './element-walk.ts';
import { PRIMITIVE_CHECKS } from './primitive-checks.ts';
import { codesRequiredAt, isAllowed } from './required-bindings.ts';
import { type SureSign, signOf } from './surely-holds.ts';

/** Whether a value is sure to be as R4 wants it. `false` says nothing: the whole validation has to look. */
type Check = (value: unknown) => boolean;

type Member = {
  readonly check: Check;
  readonly isRequired: boolean;
  /** One bit for all names of one choice element; 0 for others. */
  readonly choice: number;
};

/** One type of the release, compiled. */
type Shape = {
  readonly isResource: boolean;
  readonly members: ReadonlyMap<string, Member>;
  readonly requiredCount: number;
  readonly signs: readonly SureSign[];
};

const shapes = new Map<string, Shape | undefined>();
const MAX_CHOICES = 30;
/** Invariants that the library skips too, because it checks them otherwise or R4 corrected them. */
const SKIPPED = new Set(['ele-1', 'dom-3', 'org-1', 'sdf-19']);

/**
 * Whether a resource is certainly valid, as almost all are: many times faster than the validation that finds and locates what is
 * wrong. It says yes only where that one finds nothing; surely-valid.test.ts holds the two against each other.
 */
export function isSurelyValid(resource: Resource): boolean {
  return isResourceValid(resource);
}

const isResourceValid: Check = (value) => {
  if (!isJson(value) || typeof value.resourceType !== 'string') return false;
  const shape = shapeOf(value.resourceType);
  return shape?.isResource === true && isObjectValid(value, shape);
};

function isObjectValid(value: Json, { isResource, members, requiredCount, signs }: Shape): boolean {
  let choices = 0;
  let missing = requiredCount;
  let isEmpty = true;
  for (const key in value) {
    isEmpty = false;
    const member = members.get(key);
    if (member === undefined) {
      if (isResource && key === 'resourceType') continue;
      return false;
    }
    if ((choices & member.choice) !== 0 || !member.check(value[key])) return false;
    choices |= member.choice;
    if (member.isRequired) missing -= 1;
  }
  return !isEmpty && missing === 0 && signs.every((sign) => sign(value));
}

function shapeOf(type: string): Shape | undefined {
  if (shapes.has(type)) return shapes.get(type);
  const schema = tryGetDataType(type);
  // Only types of the release are remembered: a caller's own word for one must not fill the memory.
  if (schema === undefined) return undefined;
  const shape = compile(type, schema);
  shapes.set(type, shape);
  return shape;
}

function compile(type: string, schema: InternalTypeSchema): Shape | undefined {
  const elements = Object.entries(schema.elements);
  if (elements.some(([, element]) => isBeyond(element))) return undefined;
  const choices = elements.flatMap(([name]) => (name.endsWith('[x]') ? [name] : []));
  if (choices.length > MAX_CHOICES) return undefined;
  const members = new Map<string, Member>();
  for (const [key, { name, element, typeCode }] of propertiesOf(type)) {
    const choice = choices.includes(name) ? 1 << choices.indexOf(name) : 0;
    members.set(key, { check: checkOf(element, typeCode), isRequired: element.min > 0, choice });
  }
  const isResource = schema.kind === 'resource';
  return {
    isResource,
    members,
    requiredCount: elements.filter(([, element]) => element.min > 0).length,
    // Those of a data type stand at the elements that have it, as far as the library looks at them.
    signs: isResource ? signsOf(schema.constraints) : [],
  };
}

/** What only a profile has is left to the library. */
function isBeyond({ fixed, pattern, slicing }: InternalSchemaElement): boolean {
  return fixed !== undefined || pattern !== undefined || (slicing?.slices.length ?? 0) > 0;
}

function signsOf(constraints: InternalSchemaElement['constraints']): SureSign[] {
  return (constraints ?? [])
    .filter(({ key, severity }) => severity === 'error' && !SKIPPED.has(key))
    .map(({ expression }) => signOf(expression));
}

function checkOf(element: InternalSchemaElement, typeCode: string): Check {
  const one = checkOfOne(element, typeCode);
  const { isArray, min, max } = element;
  if (!isArray) return one;
  return (value) =>
    Array.isArray(value) && value.length >= Math.max(1, min) && value.length <= max && value.every(one);
}

function checkOfOne(element: InternalSchemaElement, typeCode: string): Check {
  const form = PRIMITIVE_CHECKS.get(typeCode) ?? checkOfType(typeCode);
  const codes = codesRequiredAt(element);
  const bound: Check =
    codes === undefined ? form : (value) => form(value) && isAllowed(value, typeCode, codes);
  const signs = signsOf(element.constraints);
  if (signs.length === 0) return bound;
  return (value) => bound(value) && signs.every((sign) => sign(value as Json));
}

function checkOfType(type: string): Check {
  if (type === 'Resource') return isResourceValid;
  let shape: Shape | undefined;
  return (value) => {
    if (!isJson(value)) return false;
    // A type may have parts of its own type, so it is compiled when the first value comes.
    shape ??= shapeOf(type);
    return shape !== undefined && isObjectValid(value, shape);
  };
}
