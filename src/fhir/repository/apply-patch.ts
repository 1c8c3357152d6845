import { applyPatch, type Operation } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { AppError, parseJson, utf8 } from '../../shared/index.ts';

const MAX_OPERATIONS = 1000;
/** As much as the body of a request. Copies of copies would otherwise make a resource of any size out of two kilobytes. */
const MAX_COPIED_CHARACTERS = 10 << 20;
const NEEDS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['add', ['path', 'value']],
  ['remove', ['path']],
  ['replace', ['path', 'value']],
  ['move', ['from', 'path']],
  ['copy', ['from', 'path']],
  ['test', ['path', 'value']],
]);

/** The resource as a JSON Patch (RFC 6902) leaves it, within the limits of a request's body. The given one stays as it is. */
export function patchedResource(resource: Resource, patch: unknown): Resource {
  const operations = operationsOf(patch);
  const patched = structuredClone(resource);
  let copiedCharacters = 0;
  for (const [index, operation] of operations.entries()) {
    if (operation.op === 'copy') copiedCharacters += JSON.stringify(patched).length;
    if (copiedCharacters > MAX_COPIED_CHARACTERS)
      throw new AppError(
        'too-many',
        `[${index}]: the patch copies too much. Send the whole resource with PUT.`,
      );
    applyOne(patched, operation, index);
  }
  return parseJson(utf8(JSON.stringify(patched))) as Resource;
}

function applyOne(resource: Resource, operation: Operation, index: number): void {
  if (!isApplied(resource, operation))
    throw new AppError('invalid-request', `[${index}]: the operation does not apply to the current version.`);
}

/** What it does not apply it returns, but for a path through a prototype: there it throws. */
function isApplied(resource: Resource, operation: Operation): boolean {
  try {
    return applyPatch(resource, [operation])[0] === null;
  } catch {
    return false;
  }
}

function operationsOf(patch: unknown): readonly Operation[] {
  if (!Array.isArray(patch))
    throw new AppError('invalid-request', 'Send a JSON Patch: an array of operations (RFC 6902).');
  if (patch.length > MAX_OPERATIONS)
    throw new AppError('too-many', `A patch has at most ${MAX_OPERATIONS} operations.`);
  return patch.map(operationOf);
}

function operationOf(given: unknown, index: number): Operation {
  const operation = (given ?? {}) as Record<string, unknown>;
  const isWhole = NEEDS.get(operation.op)?.every((name) => isMember(name, operation[name])) ?? false;
  if (isWhole) return operation as unknown as Operation;
  throw new AppError('invalid-request', `[${index}]: this is not an operation of JSON Patch (RFC 6902).`);
}

/** A pointer is text that is empty or begins with a slash (RFC 6901); a value is anything that is there. */
function isMember(name: string, value: unknown): boolean {
  return name === 'value' ? value !== undefined : typeof value === 'string' && /^(?:\/|$)/.test(value);
}
