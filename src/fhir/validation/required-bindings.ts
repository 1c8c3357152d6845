import type { ValueSet } from '@medplum/fhirtypes';
import { readExpansion } from '../definitions/definition-files.ts';
import { type AddIssue, isJson, type Json, type Property } from './element-walk.ts';

/** Codes as `code` and as `system|code`; undefined for a value set that has no list, such as all languages. */
type CodeList = ReadonlySet<string> | undefined;

const lists = new Map<string, CodeList>();
/** A value set that the definitions bind to under a name of a later release; R4 4.0.1 binds to the other. */
const R4_NAMES: ReadonlyMap<string, string> = new Map([
  ['http://hl7.org/fhir/ValueSet/detectedissue-status', 'http://hl7.org/fhir/ValueSet/observation-status'],
]);

/** Adds an issue for each code that its element's required binding does not allow (R4 terminologies, "Required"). */
export function checkBinding(
  { element, typeCode }: Property,
  value: unknown,
  path: string,
  add: AddIssue,
): void {
  const list = codesRequiredAt(element);
  if (list === undefined) return;
  const items = Array.isArray(value) ? value : [value];
  items.forEach((item: unknown, place) => {
    if (isAllowed(item, typeCode, list)) return;
    add({
      severity: 'error',
      code: 'code-invalid',
      details: {
        text: `The code is not in the value set that is required here: ${element.binding?.valueSet?.split('|')[0]}`,
      },
      expression: [Array.isArray(value) ? `${path}[${place}]` : path],
    });
  });
}

/** The codes that an element may have; undefined where it has no required binding, or one without a list. */
export function codesRequiredAt({ binding }: Property['element']): CodeList {
  if (binding?.strength !== 'required' || binding.valueSet === undefined) return undefined;
  return codeList(binding.valueSet);
}

export function isAllowed(item: unknown, typeCode: string, list: ReadonlySet<string>): boolean {
  if (typeof item === 'string') return list.has(item);
  if (!isJson(item)) return true;
  if (typeCode === 'Coding') return isCodingAllowed(item, list);
  const codings = Array.isArray(item.coding) ? item.coding.filter(isJson) : [];
  return codings.length === 0 || codings.some((coding) => isCodingAllowed(coding, list));
}

function isCodingAllowed(coding: Json, list: ReadonlySet<string>): boolean {
  if (typeof coding.code !== 'string') return true;
  return typeof coding.system === 'string'
    ? list.has(`${coding.system}|${coding.code}`)
    : list.has(coding.code);
}

function codeList(canonical: string): CodeList {
  const named = canonical.split('|')[0] as string;
  const url = R4_NAMES.get(named) ?? named;
  if (!lists.has(url)) lists.set(url, readCodes(url));
  return lists.get(url);
}

function readCodes(url: string): CodeList {
  const id = url.split('/').at(-1) as string;
  const valueSet = readExpansion(id) as ValueSet | undefined;
  const contains = valueSet?.url === url ? (valueSet.expansion?.contains ?? []) : [];
  const codes = new Set<string>();
  collect(contains, codes);
  const total = valueSet?.expansion?.total;
  return codes.size === 0 || (total !== undefined && total > codes.size) ? undefined : codes;
}

type Contains = NonNullable<NonNullable<ValueSet['expansion']>['contains']>;

function collect(contains: Contains, codes: Set<string>): void {
  for (const { system, code, contains: nested } of contains) {
    if (code !== undefined) {
      codes.add(code);
      codes.add(`${system}|${code}`);
    }
    if (nested !== undefined) collect(nested, codes);
  }
}
