import type { Resource } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import type { CareRepository } from './care-repository.ts';
import { notFoundError } from './denial.ts';
import { checkPreconditions, type Preconditions } from './write-preconditions.ts';

/** A resource type, and the query that finds the one resource of it. */
export type Condition = { readonly type: string; readonly query: string };
type Finder = Pick<CareRepository, 'matchesOf'>;

/** The one resource that a condition finds for who asks; undefined when there is none (R4 http, "conditional create"). */
export async function onlyMatch(repository: Finder, condition: Condition): Promise<Resource | undefined> {
  const [match, second] = await repository.matchesOf(condition);
  if (second === undefined) return match;
  throw new AppError(
    'precondition-failed',
    'A condition finds more than one resource. Make it more selective.',
  );
}

/** Creates what is not there; gives what is. */
export function createUnlessFound(
  repository: CareRepository,
  condition: Condition,
  resource: Resource,
): Promise<Resource> {
  return conditionally(repository, async (inside) => {
    const match = await onlyMatch(inside, condition);
    return match === undefined ? inside.createResource(resource) : inside.handOut(match);
  });
}

export function updateFound(
  repository: CareRepository,
  condition: Condition,
  resource: Resource,
  preconditions: Preconditions,
): Promise<Resource> {
  return conditionally(repository, async (inside) => {
    const match = await onlyMatch(inside, condition);
    if (match !== undefined) return inside.updateResource(withIdOf(match, resource), preconditions);
    await refuseAbsent(preconditions);
    if (resource.id !== undefined)
      throw new AppError(
        'invalid-request',
        'The search finds nothing, and the server chooses the id of what is new.',
      );
    return inside.createResource(resource);
  });
}

/** R4 http, "update": what is found may have the id that was sent, or none was. */
export function withIdOf<T extends Resource>(match: Pick<Resource, 'id'>, resource: T): T {
  if ((resource.id ?? match.id) === match.id) return { ...resource, id: match.id } as T;
  throw new AppError(
    'invalid-request',
    'The id in the resource is not that of the resource the search finds.',
  );
}

export function patchFound(
  repository: CareRepository,
  condition: Condition,
  patch: unknown,
  preconditions: Preconditions,
): Promise<Resource> {
  return conditionally(repository, async (inside) => {
    const match = await onlyMatch(inside, condition);
    if (match !== undefined)
      return inside.patchResource(condition.type, match.id as string, patch, preconditions);
    await refuseAbsent(preconditions);
    throw notFoundError();
  });
}

/** What is not there is deleted already. */
export function deleteFound(
  repository: CareRepository,
  condition: Condition,
  preconditions: Preconditions,
): Promise<void> {
  return conditionally(repository, async (inside) => {
    const match = await onlyMatch(inside, condition);
    if (match === undefined) await refuseAbsent(preconditions);
    else await inside.deleteResource(condition.type, match.id as string, preconditions);
  });
}

function refuseAbsent(preconditions: Preconditions): Promise<void> {
  return checkPreconditions(preconditions, undefined, async () => false);
}

/** Another write must not make the condition untrue meanwhile. */
function conditionally<T>(
  repository: CareRepository,
  work: (inside: CareRepository) => Promise<T>,
): Promise<T> {
  return repository.withTransaction(work, { serializable: true });
}
