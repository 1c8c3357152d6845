import { type InternalSchemaElement, tryGetDataType } from '@medplum/core';
import type { OperationOutcomeIssue, Resource, ValueSet } from '@medplum/fhirtypes';
import { readExpansion } from '../definitions/definition-files.ts';

type Json = Record<string, unknown>;
/** Codes as `code` and as `system|code`; undefined for a value set that has no list, such as all languages. */
type CodeList = ReadonlySet<string> | undefined;

const MAX_ISSUES = 50;
const lists = new Map<string, CodeList>();

/** Every code that its element's required binding does not allow (R4 terminologies, "Required"). */
export function bindingIssues(resource: Resource): OperationOutcomeIssue[] {
  const issues: OperationOutcomeIssue[] = [];
  visit(resource as unknown as Json, resource.resourceType, resource.resourceType, issues);
  return issues;
}

function visit(value: Json, type: string, path: string, issues: OperationOutcomeIssue[]): void {
  const schema = tryGetDataType(type);
  if (schema === undefined || issues.length >= MAX_ISSUES) return;
  for (const [name, element] of Object.entries(schema.elements)) {
    for (const { property, typeCode } of propertiesOf(name, element, value)) {
      const items = Array.isArray(value[property]) ? (value[property] as unknown[]) : [value[property]];
      items.forEach((item, place) => {
        const at = Array.isArray(value[property]) ? `${path}.${property}[${place}]` : `${path}.${property}`;
        check(item, element, typeCode, at, issues);
        if (isJson(item)) visit(item, resourceTypeOf(item, typeCode), at, issues);
      });
    }
  }
}

/** A choice element stands under its name and the type's; `code` itself stands under its own name. */
function propertiesOf(
  name: string,
  element: InternalSchemaElement,
  value: Json,
): { property: string; typeCode: string }[] {
  if (!name.endsWith('[x]'))
    return value[name] === undefined ? [] : [{ property: name, typeCode: element.type[0]?.code ?? '' }];
  const base = name.slice(0, -3);
  const present = element.type.map(({ code }) => ({
    property: base + code.charAt(0).toUpperCase() + code.slice(1),
    typeCode: code,
  }));
  return present.filter(({ property }) => value[property] !== undefined);
}

function resourceTypeOf(item: Json, typeCode: string): string {
  return typeCode === 'Resource' && typeof item.resourceType === 'string' ? item.resourceType : typeCode;
}

function check(
  item: unknown,
  element: InternalSchemaElement,
  typeCode: string,
  path: string,
  issues: OperationOutcomeIssue[],
): void {
  const { binding } = element;
  if (binding?.strength !== 'required' || binding.valueSet === undefined || issues.length >= MAX_ISSUES)
    return;
  const list = codeList(binding.valueSet);
  if (list === undefined || isAllowed(item, typeCode, list)) return;
  issues.push({
    severity: 'error',
    code: 'code-invalid',
    details: {
      text: `The code is not in the value set that is required here: ${binding.valueSet.split('|')[0]}`,
    },
    expression: [path],
  });
}

function isAllowed(item: unknown, typeCode: string, list: ReadonlySet<string>): boolean {
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
  const url = canonical.split('|')[0] as string;
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

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
