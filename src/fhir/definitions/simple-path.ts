/** One step of a path; `isLast` where an element may be a choice of types that the path does not name. */
export type PathStep =
  | { readonly kind: 'element'; readonly name: string; readonly isLast: boolean }
  /** `value.ofType(Quantity)`, `value as Quantity`: the element stored under name and type. */
  | { readonly kind: 'cast'; readonly name: string; readonly type: string }
  /** `where(resolve() is Patient)`. */
  | { readonly kind: 'target'; readonly type: string }
  /** `where(system='email')`. */
  | { readonly kind: 'equals'; readonly name: string; readonly value: string };

const STEP = /^([a-z]\w*)(?:\(((?:[^()']|\(\)|'[^']*')*)\))?(?:\.|$)/;

/**
 * Reads what almost every R4 search expression is: a path of elements with casts and simple conditions. undefined for
 * anything else, which has to be evaluated as FHIRPath.
 */
export function parsePath(expression: string): readonly PathStep[] | undefined {
  let rest = withoutGrouping(expression.replace(/ as (\w+)/g, '.as($1)')).replace(/^[A-Z]\w*(?:\.|$)/, '');
  const steps: PathStep[] = [];
  while (rest !== '') {
    const match = STEP.exec(rest);
    const step = match === null ? undefined : readStep(match[1] as string, match[2], steps);
    if (match === null || step === undefined) return undefined;
    steps.push(step);
    rest = rest.slice(match[0].length);
  }
  return steps.map((step, at) =>
    step.kind === 'element' ? { ...step, isLast: steps.slice(at + 1).every(isCondition) } : step,
  );
}

function isCondition(step: PathStep): boolean {
  return step.kind === 'target' || step.kind === 'equals';
}

/** Parentheses around the beginning only group: `(Observation.value as Quantity).code`. */
function withoutGrouping(expression: string): string {
  if (!expression.startsWith('(')) return expression;
  let depth = 0;
  for (let at = 0; at < expression.length; at += 1) {
    if (expression[at] === '(') depth += 1;
    else if (expression[at] === ')') depth -= 1;
    if (depth === 0) return withoutGrouping(expression.slice(1, at) + expression.slice(at + 1));
  }
  return expression;
}

/** A cast takes the place of the element before it. */
function readStep(name: string, argument: string | undefined, before: PathStep[]): PathStep | undefined {
  if (argument === undefined) return { kind: 'element', name, isLast: false };
  if (name === 'as' || name === 'ofType') {
    const cast = before.pop();
    return cast?.kind === 'element' && /^\w+$/.test(argument)
      ? { kind: 'cast', name: cast.name, type: argument }
      : undefined;
  }
  return name === 'where' ? readCondition(argument) : undefined;
}

function readCondition(condition: string): PathStep | undefined {
  const target = /^resolve\(\) is (\w+)$/.exec(condition)?.[1];
  if (target !== undefined) return { kind: 'target', type: target };
  const [, name, value] = /^(\w+)='([^']*)'$/.exec(condition) ?? [];
  return name === undefined || value === undefined ? undefined : { kind: 'equals', name, value };
}
