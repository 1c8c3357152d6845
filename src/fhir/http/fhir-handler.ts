import { randomBytes } from 'node:crypto';
import { getStatus } from '@medplum/core';
import { type FhirRequest, FhirRouter, type HttpMethod } from '@medplum/fhir-router';
import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes';
import { AppError, fromUtf8, parseJson } from '../../shared/index.ts';
import { loadPatientCompartment } from '../definitions/patient-compartment.ts';
import { loadSearchParameters } from '../definitions/search-parameters.ts';
import { loadDefinitions } from '../definitions/structure-definitions.ts';
import type { FhirDefinitions, FhirDeps, RepositoryDeps, RequestScope, WorkQueue } from '../fhir-deps.ts';
import { capabilityStatement } from '../metadata.ts';
import { CareRepository } from '../repository/care-repository.ts';
import { responseEntry, runTransaction } from '../repository/run-transaction.ts';
import { translatingErrors } from '../repository/translate-errors.ts';
import { effectOf } from '../repository/write-effect.ts';
import { createCursorSeal } from '../search/page-cursor.ts';
import { createValidator } from '../validation/validate.ts';
import { requireFhirJson } from './media-type.ts';
import type { FhirHttpReply, FhirHttpRequest } from './message.ts';
import { outcomeOfError } from './outcome.ts';
import { parseBundle } from './parse-bundle.ts';
import { type Answer, replyOf } from './reply.ts';

export type FhirHandler = (request: FhirHttpRequest) => Promise<FhirHttpReply>;

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** The FHIR R4 surface. Every request that touches a record goes through a repository that goes through the gate. */
export function createFhirHandler(ports: FhirDeps): FhirHandler {
  const deps: RepositoryDeps = {
    ...ports,
    serialise: oneAfterAnother(),
    largeBundles: oneAfterAnother(),
    cursors: createCursorSeal(randomBytes(32)),
  };
  const definitions = loadFhirDefinitions();
  const router = new FhirRouter();
  const startedAt = new Date(deps.now()).toISOString();
  return async (request) => {
    const scope: RequestScope | undefined = request.session && { session: request.session, promises: [] };
    const replyWith = (answer: Answer) => replyOf(deps.baseUrl(), request, scope?.promises ?? [], answer);
    try {
      requireFhirJson(request);
      const asked = asGet(request);
      const answer =
        asked.path === '/metadata' && asked.method === 'GET'
          ? { status: 200, resource: capabilityStatement(definitions, deps.baseUrl(), startedAt) }
          : await answerFor(deps, definitions, router, asked, scope);
      return replyWith(answer);
    } catch (error) {
      const { status, outcome } = outcomeOfError(error);
      const reply = replyWith({ status, resource: outcome });
      return status >= 500 ? { ...reply, error } : reply;
    }
  };
}

/** R4 http, "read": HEAD is decided and logged as the GET is; only its answer has no body. */
function asGet(request: FhirHttpRequest): FhirHttpRequest {
  return request.method === 'HEAD' ? { ...request, method: 'GET' } : request;
}

let definitionsOnce: FhirDefinitions | undefined;

/** The official definitions, read and compiled once for the process. */
export function loadFhirDefinitions(): FhirDefinitions {
  const parameters = loadSearchParameters();
  definitionsOnce ??= {
    resourceTypes: new Set(loadDefinitions().resourceTypes),
    parameters,
    compartment: loadPatientCompartment(parameters),
    validator: createValidator(),
  };
  return definitionsOnce;
}

function oneAfterAnother(): WorkQueue {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

async function answerFor(
  deps: RepositoryDeps,
  definitions: FhirDefinitions,
  router: FhirRouter,
  request: FhirHttpRequest,
  scope: RequestScope | undefined,
): Promise<Answer> {
  if (scope === undefined)
    throw new AppError(
      'token-missing',
      'Send a session token: Authorization: Bearer …. POST /auth/token gives one.',
    );
  if (!METHODS.has(request.method))
    throw new AppError('method-not-allowed', `${request.method.slice(0, 16)} is not a FHIR interaction.`);
  const repository = new CareRepository(deps, definitions, scope, isLenient(request));
  const own =
    (await instanceRead(definitions, repository, request)) ??
    (await ownRoute(definitions, repository, request));
  if (own !== undefined) return own;
  if (request.method === 'POST' && segmentsOf(request.path).length === 0)
    return answerBundle(deps, router, repository, request);
  return routed(router, repository, request, bodyOf(request));
}

async function answerBundle(
  deps: RepositoryDeps,
  router: FhirRouter,
  repository: CareRepository,
  request: FhirHttpRequest,
): Promise<Answer> {
  const bundle = parseBundle(request.body);
  if (bundle.type === 'batch') return routed(router, repository, request, bundle);
  const run = (inside: CareRepository, entry: BundleEntry) => answerEntry(router, inside, entry);
  return ok(await runTransaction(repository, bundle, run, deps.largeBundles));
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** `GET /Type/id`: the commonest request by far, answered with the text that is stored, where nothing of it is withheld. */
async function instanceRead(
  definitions: FhirDefinitions,
  repository: CareRepository,
  { method, path, query }: FhirHttpRequest,
): Promise<Answer | undefined> {
  if (method !== 'GET' || query !== '') return undefined;
  const [empty, type = '', id = '', more] = path.split('/', 4);
  if (empty !== '' || id === '' || id.startsWith('$') || id.startsWith('_') || more !== undefined)
    return undefined;
  if (!definitions.resourceTypes.has(type)) return undefined;
  const read = await repository.readText(type, id);
  return read.text === undefined ? ok(read.resource) : { status: 200, text: read.text, version: read.record };
}

function isLenient(request: FhirHttpRequest): boolean {
  return /(?:^|[;,\s])handling=lenient\b/.test(request.headers.prefer ?? '');
}

/** What the router does not have, or has in another way: searches by the caller's own text, history of a type, compartments. */
async function ownRoute(
  definitions: FhirDefinitions,
  repository: CareRepository,
  request: FhirHttpRequest,
): Promise<Answer | undefined> {
  const segments = segmentsOf(request.path);
  const [type, second, third] = segments;
  if (request.method === 'GET' && segments.length === 0)
    return ok(await repository.searchText([], request.query));
  if (type === undefined) return undefined;
  if (type.startsWith('$')) throw unknownInteraction();
  if (!definitions.resourceTypes.has(type))
    throw new AppError('not-found', 'There is no such resource type in R4. /metadata lists those there are.');
  if (request.method === 'GET' && segments.length === 1)
    return ok(await repository.searchText([type], request.query));
  if (request.method === 'POST' && second === '_search')
    return ok(await repository.searchText([type], joinQuery(request.query, formBody(request))));
  if (request.method === 'GET' && second === '_history')
    return ok(await repository.history(type, undefined, request.query));
  if (request.method === 'GET' && third === '_history' && segments.length === 3)
    return ok(await repository.history(type, second, request.query));
  if (
    request.method === 'GET' &&
    type === 'Patient' &&
    third !== undefined &&
    definitions.resourceTypes.has(third)
  )
    return ok(await compartmentSearch(definitions, repository, second as string, third, request.query));
  return undefined;
}

/** `Patient/1/Observation?…`: what any of the type's links places in the patient's compartment. */
async function compartmentSearch(
  definitions: FhirDefinitions,
  repository: CareRepository,
  id: string,
  type: string,
  query: string,
): Promise<Bundle> {
  if (definitions.compartment.parametersOf(type) === undefined)
    throw new AppError('not-found', `${type} is not in the Patient compartment.`);
  if (!/^[A-Za-z0-9.-]{1,64}$/.test(id)) throw new AppError('invalid-search', 'There is no such Patient id.');
  return repository.searchText([type], query, id);
}

function joinQuery(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('&');
}

function formBody(request: FhirHttpRequest): string {
  const text = fromUtf8(request.body ?? new Uint8Array(0));
  if (text === undefined) throw new AppError('invalid-search', 'The body is not UTF-8 text.');
  return text;
}

function ok(resource: Resource): Answer {
  return { status: 200, resource };
}

/** Dispatches as the router does, but lets errors through: it would turn each of them into a plain 400. */
async function routed(
  router: FhirRouter,
  repository: CareRepository,
  request: FhirHttpRequest,
  body: unknown,
): Promise<Answer> {
  const [outcome, resource] = await dispatch(router, repository, routerRequest(request, body));
  const status = getStatus(outcome);
  if (status >= 400) return { status, resource: outcome };
  if (request.method === 'DELETE') return { status: 204 };
  const created = effectOf(resource) === 'created' && resource !== undefined;
  return {
    status: created ? 201 : status === 304 ? 200 : status,
    resource: resource ?? outcome,
    ...(created && { location: `${resource.resourceType}/${resource.id}` }),
  };
}

function dispatch(router: FhirRouter, repository: CareRepository, input: FhirRequest) {
  const route = router.find(input.method, input.url);
  if (route === undefined) throw unknownInteraction();
  const { handler, path, params, query } = route;
  return handler(
    { ...input, pathname: path, params, query: query ?? {} },
    translatingErrors(repository),
    router,
  );
}

function unknownInteraction(): AppError {
  return new AppError('not-found', 'There is no such FHIR interaction. /metadata lists those there are.');
}

/** One entry of a transaction, dispatched like a request of its own. */
async function answerEntry(
  router: FhirRouter,
  repository: CareRepository,
  { request, resource }: BundleEntry,
): Promise<BundleEntry> {
  const conditions = { 'if-match': request?.ifMatch, 'if-none-exist': request?.ifNoneExist };
  const input: FhirRequest = {
    method: request?.method as HttpMethod,
    url: `/${(request?.url ?? '').replace(/^\//, '')}`,
    pathname: '',
    body: patchOf(resource) ?? resource,
    params: {},
    query: {},
    headers: Object.fromEntries(Object.entries(conditions).filter(([, value]) => value !== undefined)),
  };
  const [outcome, answer] = await dispatch(router, repository, input);
  return responseEntry(outcome, answer);
}

/** A JSON Patch travels in a bundle as a Binary (R4 http, "patch"). */
function patchOf(resource: Resource | undefined): unknown {
  if (resource?.resourceType !== 'Binary' || resource.contentType !== 'application/json-patch+json')
    return undefined;
  return parseJson(Buffer.from(resource.data ?? '', 'base64'));
}

function routerRequest(request: FhirHttpRequest, body: unknown): FhirRequest {
  return {
    method: request.method as HttpMethod,
    url: request.query === '' ? request.path : `${request.path}?${request.query}`,
    pathname: '',
    body,
    params: {},
    query: {},
    headers: { ...request.headers },
  };
}

function bodyOf(request: FhirHttpRequest): unknown {
  const body = request.body === undefined || request.body.length === 0 ? undefined : parseJson(request.body);
  if (request.method !== 'POST' && request.method !== 'PUT') return body;
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return request.method === 'POST' ? withoutId(body) : body;
  throw new AppError('malformed-json', 'The body of this request is one resource, as a JSON object.');
}

/** R4 http, "create": an id in the body is ignored; the server chooses. */
function withoutId(body: object): object {
  const { id: _ignored, ...rest } = body as { id?: unknown };
  return rest;
}
