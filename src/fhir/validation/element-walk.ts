import { type InternalSchemaElement, tryGetDataType } from '@medplum/core';
import type { OperationOutcomeIssue, Resource } from '@medplum/fhirtypes';

export type Json = Record<string, unknown>;

/** A property that a resource has, with what R4 says of it. */
export type Property = {
  /** As in the definition: `value[x]` for a choice. */
  readonly name: string;
  readonly element: InternalSchemaElement;
  readonly typeCode: string;
};

/** What is looked at in every object, and in every property of it; `add` takes an issue. */
export type ElementRules = {
  readonly object: (value: Json, type: string, path: string, add: AddIssue) => void;
  readonly property: (property: Property, value: unknown, path: string, add: AddIssue) => void;
};
export type AddIssue = (issue: OperationOutcomeIssue) => void;

const MAX_ISSUES = 50;
const propertiesOfTypes = new Map<string, ReadonlyMap<string, Property>>();

/** Applies the rules to every property of the resource that R4 knows, each under the path where it stands. */
export function walkElements(resource: Resource, rules: ElementRules): OperationOutcomeIssue[] {
  const issues: OperationOutcomeIssue[] = [];
  const add: AddIssue = (issue) => {
    if (issues.length < MAX_ISSUES) issues.push(issue);
  };
  visit(resource as unknown as Json, resource.resourceType, resource.resourceType, rules, add);
  return issues;
}

function visit(value: Json, type: string, path: string, rules: ElementRules, add: AddIssue): void {
  rules.object(value, type, path, add);
  const properties = propertiesOf(type);
  for (const key in value) {
    const isExtended = key.startsWith('_');
    const property = properties.get(isExtended ? key.slice(1) : key);
    if (property === undefined) continue;
    const [here, item] = [`${path}.${key}`, value[key]];
    if (!isExtended) rules.property(property, item, here, add);
    const typeCode = isExtended ? 'Element' : property.typeCode;
    if (Array.isArray(item)) {
      for (let place = 0; place < item.length; place += 1)
        if (isJson(item[place]))
          visit(item[place], resourceTypeOf(item[place], typeCode), `${here}[${place}]`, rules, add);
    } else if (isJson(item)) visit(item, resourceTypeOf(item, typeCode), here, rules, add);
  }
}

/** What an object of the type may have, by the name in JSON: a choice element stands under its name and the type's. */
export function propertiesOf(type: string): ReadonlyMap<string, Property> {
  const known = propertiesOfTypes.get(type);
  if (known !== undefined) return known;
  const properties = new Map<string, Property>();
  const schema = tryGetDataType(type);
  for (const [name, element] of Object.entries(schema?.elements ?? {})) {
    if (!name.endsWith('[x]')) properties.set(name, { name, element, typeCode: element.type[0]?.code ?? '' });
    else
      for (const { code } of element.type)
        properties.set(name.slice(0, -3) + code.charAt(0).toUpperCase() + code.slice(1), {
          name,
          element,
          typeCode: code,
        });
  }
  // Only types of the release are remembered: a caller's own word for one must not fill the memory.
  if (schema !== undefined) propertiesOfTypes.set(type, properties);
  return properties;
}

function resourceTypeOf(item: Json, typeCode: string): string {
  return typeCode === 'Resource' && typeof item.resourceType === 'string' ? item.resourceType : typeCode;
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
