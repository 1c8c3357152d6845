import { evalFhirPathTyped, toTypedValue } from '@medplum/core';
import { typeOfReference } from './references.ts';
import { type PathStep, parsePath } from './simple-path.ts';

/** Reads the values that a search parameter's expression names. `ownBase` is this server's address, for `resolve() is`. */
export type Extractor = (root: unknown, ownBase: string) => unknown[];

/**
 * Compiles an R4 search expression. Paths, casts and `resolve() is` become plain property access, which is a hundred times
 * faster than evaluating FHIRPath; whatever is not so simple is evaluated.
 */
export function compileExpression(expression: string, resourceType: string): Extractor {
  const branches = splitUnion(expression).filter((branch) => isAbout(branch, resourceType));
  const extractors = branches.map(compileBranch);
  const [only] = extractors;
  if (extractors.length === 1 && only !== undefined) return only;
  return (root, ownBase) => extractors.flatMap((extract) => extract(root, ownBase));
}

/** Splits at `|` outside parentheses. */
function splitUnion(expression: string): string[] {
  const branches: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= expression.length; at += 1) {
    const character = expression[at];
    if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    else if ((character === '|' && depth === 0) || character === undefined) {
      branches.push(expression.slice(start, at).trim());
      start = at + 1;
    }
  }
  return branches.flatMap((branch) =>
    branch.startsWith('(') && branch.endsWith(')') && branch.includes('|')
      ? splitUnion(branch.slice(1, -1))
      : [branch],
  );
}

/** A branch that begins with another type's name is about that type. */
function isAbout(branch: string, resourceType: string): boolean {
  const type = /^\(*([A-Z]\w*)\b/.exec(branch)?.[1];
  return type === undefined || type === resourceType || type === 'Resource' || type === 'DomainResource';
}

function compileBranch(branch: string): Extractor {
  const path = parsePath(branch);
  if (path === undefined) return (root) => evaluate(branch, root);
  const [first, ...steps] = path.map(compileStep);
  if (first === undefined) return (root) => [root];
  return (root, ownBase) => {
    let values = first(root, ownBase);
    // Most parameters of a type are about elements that a resource of it does not have.
    for (let at = 0; at < steps.length && values.length > 0; at += 1) {
      const step = steps[at] as Extractor;
      values = values.flatMap((value) => step(value, ownBase));
    }
    return values;
  };
}

function compileStep(step: PathStep): Extractor {
  switch (step.kind) {
    case 'element':
      return step.isLast
        ? (value) => elementOrChoice(value, step.name)
        : (value) => property(value, step.name);
    case 'cast': {
      const typed = step.name + step.type.charAt(0).toUpperCase() + step.type.slice(1);
      return (value) => firstOf(property(value, typed), property(value, step.name));
    }
    case 'target':
      return (value, ownBase) => (pointsTo(value, step.type, ownBase) ? [value] : []);
    case 'equals':
      return (value) => (property(value, step.name).includes(step.value) ? [value] : []);
  }
}

/** A choice element is stored under its name and its type's; without a cast every type of it counts. */
function elementOrChoice(value: unknown, name: string): unknown[] {
  return firstOf(property(value, name), choices(value, name));
}

function firstOf(preferred: unknown[], otherwise: unknown[]): unknown[] {
  return preferred.length > 0 ? preferred : otherwise;
}

const CHOICE_TYPE =
  /^(Boolean|Code|CodeableConcept|Coding|Date|DateTime|Decimal|Identifier|Instant|Integer|Period|Quantity|Range|Reference|String|Time|Timing|Uri|Age|Duration|Canonical|Money)$/;

function choices(parent: unknown, name: string): unknown[] {
  if (typeof parent !== 'object' || parent === null) return [];
  const found: unknown[] = [];
  for (const key in parent)
    if (key.startsWith(name) && CHOICE_TYPE.test(key.slice(name.length)))
      found.push(...property(parent, key));
  return found;
}

/** Never changed: who finds nothing shares it. */
const NOTHING: unknown[] = [];

function property(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const found = (value as Record<string, unknown>)[name];
  if (found === undefined || found === null) return NOTHING;
  return Array.isArray(found) ? found : [found];
}

function pointsTo(value: unknown, resourceType: string, ownBase: string): boolean {
  const reference = (value as { reference?: unknown } | null)?.reference;
  return typeof reference === 'string' && typeOfReference(reference, ownBase) === resourceType;
}

function evaluate(expression: string, root: unknown): unknown[] {
  try {
    return evalFhirPathTyped(expression, [toTypedValue(root)]).map((typed) => typed.value as unknown);
  } catch {
    return [];
  }
}
