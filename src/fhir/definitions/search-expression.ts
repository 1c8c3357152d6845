import { evalFhirPathTyped, toTypedValue } from '@medplum/core';

/** Reads the values that a search parameter's expression names. */
export type Extractor = (root: unknown) => unknown[];

/** `Observation.value as Quantity`, `(Patient.deceased as dateTime)`, `Condition.subject.where(resolve() is Patient)`, `a.b.c`. */
const SIMPLE =
  /^\(?((?:[A-Z]\w*\.)?[a-z]\w*(?:\.[a-z]\w*)*)(?: as (\w+)\)?|\.as\((\w+)\)|\.where\(resolve\(\) is (\w+)\))?\)?$/;

/**
 * Compiles an R4 search expression. Paths, casts and `resolve() is` become plain property access, which is a hundred times
 * faster than evaluating FHIRPath; whatever is not so simple is evaluated.
 */
export function compileExpression(expression: string, resourceType: string): Extractor {
  const branches = splitUnion(expression).filter((branch) => isAbout(branch, resourceType));
  const extractors = branches.map(compileBranch);
  return (root) => extractors.flatMap((extract) => extract(root));
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
  const match = SIMPLE.exec(branch);
  if (match === null) return (root) => evaluate(branch, root);
  const [, path = '', castA, castB, targetType] = match;
  const steps = path.split('.').filter((step, at) => at > 0 || !/^[A-Z]/.test(step));
  const cast = castA ?? castB;
  const last = steps.pop() as string;
  const names = cast === undefined ? [last] : [last + cast[0]?.toUpperCase() + cast.slice(1), last];
  const isCast = cast !== undefined;
  return (root) => {
    const parents = steps.reduce((values, step) => values.flatMap((value) => property(value, step)), [root]);
    const values = parents.flatMap((parent) => readLast(parent, names, isCast));
    return targetType === undefined ? values : values.filter((value) => pointsTo(value, targetType));
  };
}

/** A choice element is stored under its name and its type's; without a cast every type of it counts. */
function readLast(parent: unknown, names: readonly string[], isCast: boolean): unknown[] {
  for (const name of names) {
    const found = property(parent, name);
    if (found.length > 0) return found;
  }
  return isCast ? [] : choices(parent, names[0] as string);
}

const CHOICE_TYPE =
  /^(Boolean|Code|CodeableConcept|Coding|Date|DateTime|Decimal|Identifier|Instant|Integer|Period|Quantity|Range|Reference|String|Time|Timing|Uri|Age|Duration|Canonical|Money)$/;

function choices(parent: unknown, name: string): unknown[] {
  if (typeof parent !== 'object' || parent === null) return [];
  const keys = Object.keys(parent).filter(
    (key) => key.startsWith(name) && CHOICE_TYPE.test(key.slice(name.length)),
  );
  return keys.flatMap((key) => property(parent, key));
}

function property(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const found = (value as Record<string, unknown>)[name];
  if (found === undefined || found === null) return [];
  return Array.isArray(found) ? found : [found];
}

function pointsTo(value: unknown, resourceType: string): boolean {
  const reference = (value as { reference?: unknown } | null)?.reference;
  return typeof reference === 'string' && reference.split('/').at(-2) === resourceType;
}

function evaluate(expression: string, root: unknown): unknown[] {
  try {
    return evalFhirPathTyped(expression, [toTypedValue(root)]).map((typed) => typed.value as unknown);
  } catch {
    return [];
  }
}
