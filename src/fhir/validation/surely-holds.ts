import { isJson, type Json } from './element-walk.ts';

/** Whether an invariant is sure to hold for this value, told without evaluating it. `false` says nothing. */
export type SureSign = (value: Json) => boolean;

const never: SureSign = () => false;
const always: SureSign = () => true;
const cache = new Map<string, SureSign>();

/**
 * Most invariants of R4 are about elements that a resource does not have: `contained.meta.security.empty()`, `period.exists() implies
 * period >= 0`. Those are seen by looking for the element; of every other expression it is never sure (FHIRPath, 5.1 and 6.5).
 */
export function signOf(expression: string): SureSign {
  let sign = cache.get(expression);
  if (sign === undefined) {
    sign = KNOWN.get(expression) ?? disjunction(expression);
    cache.set(expression, sign);
  }
  return sign;
}

function disjunction(expression: string): SureSign {
  const signs = splitOutside(expression, ' or ').map(conjunction);
  return signs.every((sign) => sign === never) ? never : (value) => signs.some((sign) => sign(value));
}

function conjunction(expression: string): SureSign {
  const signs = splitOutside(expression, ' and ').map(implication);
  return signs.includes(never) ? never : (value) => signs.every((sign) => sign(value));
}

function implication(expression: string): SureSign {
  const counted = /^(\w+)\.exists\(\) implies \1 >= 0$/.exec(expression)?.[1];
  if (counted !== undefined) return (value) => Number(value[counted] ?? 0) >= 0;
  const premise = /^(\w+)\.exists\(\) implies /.exec(expression)?.[1];
  return premise === undefined ? atom(expression) : (value) => !has(value, premise);
}

/** A path is empty where its first element is not there, whatever follows; `a.exists()` where it is. */
function atom(expression: string): SureSign {
  const present = /^(\w+)\.exists\(\)$/.exec(expression)?.[1];
  if (present !== undefined) return (value) => has(value, present);
  const plain = /^(\w+(?:\.\w+)*)\.empty\(\)$/.exec(expression)?.[1];
  if (plain !== undefined) return (value) => isNothingAt(value, plain.split('.'));
  const [, first] = /^([a-z]\w*)\..*\.empty\(\)$/.exec(expression) ?? [];
  return first === undefined ? never : (value) => !has(value, first);
}

function isNothingAt(value: unknown, [name = '', ...rest]: readonly string[]): boolean {
  if (!isJson(value)) return false;
  if (!has(value, name)) return true;
  if (rest.length === 0) return false;
  const found = value[name];
  return Array.isArray(found) ? found.every((item) => isNothingAt(item, rest)) : isNothingAt(found, rest);
}

/** Whether the element is there, as a choice of types too. Another element with the same beginning only makes it less sure. */
function has(value: Json, name: string): boolean {
  if (value[name] !== undefined) return true;
  for (const key in value)
    if (key.length > name.length && key.startsWith(name) && isUpper(key, name.length)) return true;
  return false;
}

function isUpper(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 65 && code <= 90;
}

/** Splits outside parentheses and quotes. */
function splitOutside(expression: string, word: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at < expression.length; at += 1) {
    const character = expression[at];
    if (character === "'") isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    else if (depth === 0 && expression.startsWith(word, at)) {
      parts.push(expression.slice(start, at));
      start = at + word.length;
    }
  }
  return [...parts, expression.slice(start)].map((part) => part.trim());
}

const CLINICAL = 'http://terminology.hl7.org/CodeSystem/condition-clinical';

/** Invariants that common records meet by what they say. */
const KNOWN: ReadonlyMap<string, SureSign> = new Map<string, SureSign>([
  ['htmlChecks()', always],
  ['extension.exists() != value.exists()', (value) => has(value, 'extension') !== has(value, 'value')],
  ["where(use = 'home').empty()", ({ use }) => use !== 'home'],
  [
    `abatement.empty() or clinicalStatus.coding.where(system='${CLINICAL}' and (code='resolved' or code='remission' or code='inactive')).exists()`,
    (value) =>
      !has(value, 'abatement') ||
      codings(value.clinicalStatus).some(
        ({ system, code }) =>
          system === CLINICAL && ['resolved', 'remission', 'inactive'].includes(String(code)),
      ),
  ],
  ...['condition-ver-status', 'allergyintolerance-verification'].flatMap((name): [string, SureSign][] => {
    const sign: SureSign = ({ verificationStatus }) =>
      codings(verificationStatus).every(({ code }) => code !== 'entered-in-error');
    const system = `http://terminology.hl7.org/CodeSystem/${name}`;
    return [
      [
        `verificationStatus.coding.where(system='${system}' and code='entered-in-error').empty() or clinicalStatus.empty()`,
        sign,
      ],
      [
        `verificationStatus.coding.where(system = '${system}' and code = 'entered-in-error').empty() or clinicalStatus.empty()`,
        sign,
      ],
    ];
  }),
]);

function codings(concept: unknown): readonly Json[] {
  return isJson(concept) && Array.isArray(concept.coding) ? concept.coding.filter(isJson) : [];
}
