import type { Resource } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import { loadDefinitions } from '../definitions/structure-definitions.ts';
import type { FhirDefinitions } from '../fhir-deps.ts';
import { checkParameters, parseSearchQuery } from '../search/search-query.ts';
import { subsetOf } from '../search/summary.ts';
import type { CareRepository } from './care-repository.ts';
import { createUnlessFound, deleteFound, patchFound, updateFound } from './conditional-interactions.ts';
import { effectOf } from './write-effect.ts';
import type { Preconditions } from './write-preconditions.ts';

/** What is asked of the records, by a request of its own or by an entry of a bundle. */
export type InteractionRequest = Preconditions & {
  readonly method: string;
  readonly path: string;
  /** The caller's own text. */
  readonly query: string;
  readonly body?: unknown;
  readonly ifNoneExist?: string | undefined;
};
export type InteractionAnswer = { readonly status: number; readonly resource?: Resource };

type Asked = {
  readonly repository: CareRepository;
  readonly definitions: FhirDefinitions;
  readonly request: InteractionRequest;
  readonly type: string;
  readonly id: string;
  readonly version: string;
};
type Route = {
  readonly method: string;
  readonly path: readonly string[];
  /** As a CapabilityStatement names it. */
  readonly interaction: string;
  /** Parameters that it takes; a search or a condition reads all of the query itself. */
  readonly takes?: readonly string[];
  answer(asked: Asked): Promise<InteractionAnswer>;
};

const OF_HISTORY = ['_count', '_since', '_cursor'];

/** Every interaction with records (R4 http). The CapabilityStatement is made from this table. */
const ROUTES: readonly Route[] = [
  route('GET', '', 'search-system', ({ repository, request }) => repository.searchText([], request.query)),
  route('GET', ':type', 'search-type', searchType),
  route('POST', ':type/_search', 'search-type', searchType),
  route('GET', 'Patient/:id/:type', 'search-type', searchCompartment),
  route('GET', ':type/_history', 'history-type', ({ repository, request, type }) =>
    repository.history(type, undefined, request.query), OF_HISTORY),
  route('GET', ':type/:id/_history', 'history-instance', ({ repository, request, type, id }) =>
    repository.history(type, id, request.query), OF_HISTORY),
  route('GET', ':type/:id', 'read', async (asked) =>
    partOf(asked, await asked.repository.readResource(asked.type, asked.id)), ['_summary', '_elements']),
  route('GET', ':type/:id/_history/:version', 'vread', async (asked) =>
    partOf(asked, await asked.repository.readVersion(asked.type, asked.id, asked.version)), ['_summary', '_elements']),
  route('POST', ':type', 'create', create, []),
  route('PUT', ':type/:id', 'update', update, []),
  route('PUT', ':type', 'update', (asked) =>
    updateFound(asked.repository, conditionOf(asked), resourceOf(asked), asked.request)),
  route('PATCH', ':type/:id', 'patch', ({ repository, request, type, id }) =>
    repository.patchResource(type, id, request.body, request), []),
  route('PATCH', ':type', 'patch', (asked) =>
    patchFound(asked.repository, conditionOf(asked), asked.request.body, asked.request)),
  route('DELETE', ':type/:id', 'delete', ({ repository, request, type, id }) =>
    repository.deleteResource(type, id, request), []),
  route('DELETE', ':type', 'delete', (asked) =>
    deleteFound(asked.repository, conditionOf(asked), asked.request)),
]; // biome-ignore format: a table

function route(
  method: string,
  path: string,
  interaction: string,
  // biome-ignore lint/suspicious/noConfusingVoidType: what a deletion gives
  run: (asked: Asked) => Promise<Resource | void>,
  takes?: readonly string[],
): Route {
  return {
    method,
    path: segmentsOf(path),
    interaction,
    ...(takes !== undefined && { takes }),
    async answer(asked) {
      const resource = await run(asked);
      if (resource === undefined) return { status: 204 };
      return { status: effectOf(resource) === 'created' ? 201 : 200, resource };
    },
  };
}

/** The interactions with a type or a record of it, each once. */
export const TYPE_INTERACTIONS: readonly string[] = [
  ...new Set(ROUTES.filter(({ path }) => path.length > 0).map(({ interaction }) => interaction)),
];

/** Carries out what is asked. Whatever is not in the table is refused. */
export async function answerInteraction(
  repository: CareRepository,
  definitions: FhirDefinitions,
  request: InteractionRequest,
): Promise<InteractionAnswer> {
  const segments = segmentsOf(request.path);
  const [type] = segments;
  if (type !== undefined && /^[^$]/.test(type) && !definitions.resourceTypes.has(type))
    throw new AppError('not-found', 'There is no such resource type in R4. /metadata lists those there are.');
  const isType = (name: string) => definitions.resourceTypes.has(name);
  const found = ROUTES.find(({ method, path }) => method === request.method && fits(path, segments, isType));
  if (found === undefined)
    throw new AppError('not-found', 'There is no such FHIR interaction. /metadata lists those there are.');
  if (found.takes !== undefined && !repository.isLenient) checkParameters(request.query, found.takes);
  const named = (name: string) => segments[found.path.indexOf(name)] ?? '';
  const [ofType, id, version] = [named(':type'), named(':id'), named(':version')];
  return found.answer({ repository, definitions, request, type: ofType, id, version });
}

function fits(
  path: readonly string[],
  segments: readonly string[],
  isType: (name: string) => boolean,
): boolean {
  return (
    path.length === segments.length &&
    path.every((pattern, at) => {
      const segment = segments[at] as string;
      if (pattern === ':type') return isType(segment);
      return pattern.startsWith(':') ? !/^[_$]/.test(segment) : segment === pattern;
    })
  );
}

/** As most senders mean it: `/Patient//1/` is `Patient/1`. */
export function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** An address and the caller's own text of its query. */
export function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const at = url.indexOf('?');
  return at < 0 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

function searchType({ repository, request, type }: Asked): Promise<Resource> {
  return repository.searchText([type], request.query);
}

/** `Patient/1/Observation?…`: what any of the type's links places in the patient's compartment. */
async function searchCompartment({ repository, definitions, request, type, id }: Asked): Promise<Resource> {
  if (definitions.compartment.parametersOf(type) === undefined)
    throw new AppError('not-found', `${type} is not in the Patient compartment.`);
  if (!/^[A-Za-z0-9.-]{1,64}$/.test(id)) throw new AppError('invalid-search', 'There is no such Patient id.');
  return repository.searchText([type], request.query, id);
}

function partOf({ request, type }: Asked, resource: Resource): Resource {
  if (request.query === '') return resource;
  const { summary, elements } = parseSearchQuery([type], request.query);
  return subsetOf(resource, { summary, elements }, loadDefinitions().structures);
}

function create(asked: Asked): Promise<Resource> {
  const { repository, request, type } = asked;
  const { id: _chosenByServer, ...rest } = resourceOf(asked);
  const resource = rest as Resource;
  if (request.ifNoneExist === undefined) return repository.createResource(resource);
  return createUnlessFound(repository, { type, query: request.ifNoneExist }, resource);
}

async function update(asked: Asked): Promise<Resource> {
  const resource = resourceOf(asked);
  if (resource.id !== asked.id)
    throw new AppError('invalid-request', 'The resource has the id that its address has.');
  return asked.repository.updateResource(resource, asked.request);
}

function conditionOf({ request, type }: Asked) {
  return { type, query: request.query };
}

function resourceOf({ request, type }: Asked): Resource {
  const { resourceType } = (request.body ?? {}) as Partial<Resource>;
  if (resourceType === type) return request.body as Resource;
  throw new AppError('invalid-request', `The body of this request is one resource, a ${type}.`);
}
