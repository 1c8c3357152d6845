import { tryGetDataType } from '@medplum/core';
import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import { type AddIssue, isJson, type Json, type Property, propertiesOf } from './element-walk.ts';

/** The formats of R4 (datatypes, "Primitive Types"), by groups: year, month, day. */
const DAY = '(\\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\\d|3[01]))?)?';
const CLOCK = '([01]\\d|2[0-3]):[0-5]\\d:([0-5]\\d|60)(\\.\\d+)?';
const ZONE = '(Z|[+-]((0\\d|1[0-3]):[0-5]\\d|14:00))';
const FULL_DAY = '(\\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])';
const FORMATS: ReadonlyMap<string, RegExp> = new Map([
  ['date', new RegExp(`^${DAY}$`)],
  ['dateTime', new RegExp(`^(?:${DAY}|${FULL_DAY}T${CLOCK}${ZONE})$`)],
  ['instant', new RegExp(`^${FULL_DAY}T${CLOCK}${ZONE}$`)],
  ['time', new RegExp(`^${CLOCK}$`)],
]);

/** What every object has to keep to, whatever its type is. */
export function checkObject(value: Json, type: string, path: string, add: AddIssue): void {
  checkNotEmpty(value, path, add);
  checkChosenOnce(value, type, path, add);
}

/** "Properties can never be empty" (R4 JSON, 2.6.2): an element that is there has a value or children. */
function checkNotEmpty(value: Json, path: string, add: AddIssue): void {
  let count = 0;
  for (const key in value) {
    count += 1;
    const item = value[key];
    if (item === '' || (Array.isArray(item) && item.length === 0))
      add(issueAt(`${path}.${key}`, 'required', EMPTY));
    else if (Array.isArray(item) && item.includes(''))
      add(issueAt(`${path}.${key}[${item.indexOf('')}]`, 'required', EMPTY));
  }
  if (count === 0) add(issueAt(path, 'required', EMPTY));
}

const EMPTY = 'A property is never empty: leave it out, or give it a value.';

/** A choice element is there under one type at most (R4 formats, "Choice of Data Types"). */
function checkChosenOnce(value: Json, type: string, path: string, add: AddIssue): void {
  const properties = propertiesOf(type);
  const chosen = new Map<string, string>();
  for (const key in value) {
    const name = properties.get(key.startsWith('_') ? key.slice(1) : key)?.name;
    if (name?.endsWith('[x]') !== true) continue;
    const own = key.startsWith('_') ? key.slice(1) : key;
    const first = chosen.get(name);
    if (first === undefined) chosen.set(name, own);
    else if (first !== own)
      add(issueAt(`${path}.${own}`, 'structure', `${name} is given twice; choose one of its types.`));
  }
}

/** A list where R4 has one, or one where R4 has a list; and days that no calendar has. */
export function checkForm(
  { element, typeCode }: Property,
  value: unknown,
  path: string,
  add: AddIssue,
): void {
  if (Array.isArray(value) !== element.isArray) {
    add(
      issueAt(
        path,
        'structure',
        element.isArray ? 'R4 has a list here.' : 'R4 has one value here, not a list.',
      ),
    );
    return;
  }
  const check = CHECKS.get(typeCode);
  if (check === undefined) return;
  if (!Array.isArray(value)) check(value, path, add);
  else for (const [place, item] of value.entries()) check(item, `${path}[${place}]`, add);
}

type ValueCheck = (value: unknown, path: string, add: AddIssue) => void;

const CHECKS: ReadonlyMap<string, ValueCheck> = new Map<string, ValueCheck>([
  ['Resource', checkTypeOfResource],
  ...[...FORMATS].map(([typeCode, format]): [string, ValueCheck] => [
    typeCode,
    (value, path, add) => checkTime(format, typeCode, value, path, add),
  ]),
]);

/** What is contained, or in a bundle, is a resource of the release, and names its type. */
function checkTypeOfResource(value: unknown, path: string, add: AddIssue): void {
  if (!isJson(value)) return;
  const { resourceType } = value;
  if (typeof resourceType !== 'string' || tryGetDataType(resourceType)?.kind !== 'resource')
    add(issueAt(path, 'structure', 'This names no resource type of R4. /metadata lists those there are.'));
}

function checkTime(format: RegExp, typeCode: string, value: unknown, path: string, add: AddIssue): void {
  if (typeof value !== 'string' || value === '') return;
  if (!format.test(value)) add(issueAt(path, 'value', `This is not a ${typeCode} as R4 writes it.`));
  else if (typeCode !== 'time' && !isInCalendar(value))
    add(issueAt(path, 'value', 'No calendar has this day.'));
}

/** Whether the day of a date is one that its month has. */
export function isInCalendar(text: string): boolean {
  const day = Number(text.slice(8, 10));
  if (day <= 28) return true;
  return day <= new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate();
}

function issueAt(path: string, code: OperationOutcomeIssue['code'], text: string): OperationOutcomeIssue {
  return { severity: 'error', code, details: { text }, expression: [path] };
}
