import type { OperationOutcomeIssue, Resource } from '@medplum/fhirtypes';

const PATH_STEP = /([A-Za-z_]\w*)|\[(\d+)\]/g;

/**
 * Whether the library refuses what R4 allows: whitespace between the groups of a base64Binary, and a narrative of more than
 * 1 MB (R4 data types: the limit is on `string`, and `Narrative.div` is `xhtml`).
 */
export function isOverstrict(issue: OperationOutcomeIssue, resource: Resource): boolean {
  const path = issue.expression?.[0];
  if (path === undefined) return false;
  if (issue.details?.text === 'String cannot be larger than 1 MB') return path.endsWith('.text.div');
  if (issue.details?.text !== 'Invalid base64Binary format') return false;
  const value = valueAt(resource, path);
  return typeof value === 'string' && isSpacedBase64(value);
}

/** `(\s*([0-9a-zA-Z\+\/=]){4}\s*)+`, without its backtracking. */
function isSpacedBase64(value: string): boolean {
  const bare = value.replace(/\s+/g, '');
  return bare.length > 0 && bare.length % 4 === 0 && /^[0-9a-zA-Z+/]*={0,2}$/.test(bare);
}

function valueAt(resource: Resource, path: string): unknown {
  const steps = [...path.matchAll(PATH_STEP)].slice(1).map(([, name, place]) => name ?? Number(place));
  return steps.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null
        ? (value as Record<string | number, unknown>)[step]
        : undefined,
    resource,
  );
}
