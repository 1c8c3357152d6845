import type { OperationOutcomeIssue, Resource } from '@medplum/fhirtypes';
import { isJson } from './element-walk.ts';

/** The issue with the names that the resource has: a choice stands in it as `valueQuantity`, not as `value[x]`. */
export function located(issue: OperationOutcomeIssue, resource: Resource): OperationOutcomeIssue {
  const [path] = issue.expression ?? [];
  if (path === undefined || !path.includes('[x]')) return issue;
  return { ...issue, expression: [namedAsIn(resource, path)] };
}

function namedAsIn(resource: Resource, path: string): string {
  const [root = '', ...steps] = path.split('.');
  let value: unknown = resource;
  const named = steps.map((step) => {
    const [, name = '', choice, place] = /^([^[]*)(\[x\])?(?:\[(\d+)\])?$/.exec(step) ?? [];
    const key = choice === undefined ? name : (chosenKey(value, name) ?? name);
    value = isJson(value) ? value[key] : undefined;
    if (place !== undefined) value = Array.isArray(value) ? value[Number(place)] : undefined;
    return place === undefined ? key : `${key}[${place}]`;
  });
  return [root, ...named].join('.');
}

function chosenKey(value: unknown, name: string): string | undefined {
  if (!isJson(value)) return undefined;
  return Object.keys(value).find((key) => key.startsWith(name) && /^[A-Z]/.test(key.slice(name.length)));
}
