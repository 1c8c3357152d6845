import { randomBytes } from 'node:crypto';
import type { Resource } from '@medplum/fhirtypes';
import { AppError, fromUtf8, parseJson } from '../../shared/index.ts';
import { loadPatientCompartment } from '../definitions/patient-compartment.ts';
import { loadSearchParameters } from '../definitions/search-parameters.ts';
import { loadDefinitions } from '../definitions/structure-definitions.ts';
import type { FhirDefinitions, FhirDeps, RepositoryDeps, RequestScope, WorkQueue } from '../fhir-deps.ts';
import type { Session } from '../gate/index.ts';
import { capabilityStatement } from '../metadata.ts';
import { entryRunner } from '../repository/bundle-entries.ts';
import { CareRepository } from '../repository/care-repository.ts';
import { answerInteraction, type InteractionRequest, segmentsOf } from '../repository/interactions.ts';
import { runBatch } from '../repository/run-batch.ts';
import { runTransaction } from '../repository/run-transaction.ts';
import { createRequestBudget, REQUEST_LIMITS, type RequestLimits } from '../request-budget.ts';
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
export function createFhirHandler(ports: FhirDeps, limits: RequestLimits = REQUEST_LIMITS): FhirHandler {
  const deps: RepositoryDeps = {
    ...ports,
    serialise: oneAfterAnother(),
    largeBundles: oneAfterAnother(),
    cursors: createCursorSeal(randomBytes(32)),
  };
  const definitions = loadFhirDefinitions();
  const metadata = metadataText(definitions, new Date(deps.now()).toISOString());
  return async (request) => {
    const scope = request.session && scopeOf(request.session, limits);
    const replyWith = (answer: Answer) => replyOf(deps.baseUrl(), request, scope?.promises ?? [], answer);
    try {
      requireFhirJson(request);
      const asked = asGet(request);
      const answer =
        asked.path === '/metadata' && asked.method === 'GET'
          ? { status: 200, text: metadata(deps.baseUrl()) }
          : await answerFor(deps, definitions, asked, scope);
      return replyWith(answer);
    } catch (error) {
      const { status, outcome } = outcomeOfError(error);
      const reply = replyWith({ status, resource: outcome });
      return status >= 500 ? { ...reply, error } : reply;
    }
  };
}

function scopeOf(session: Session, limits: RequestLimits): RequestScope {
  return { session, promises: [], budget: createRequestBudget(limits) };
}

/** Anybody may ask for it, and it is long: written once for each address. */
function metadataText(definitions: FhirDefinitions, startedAt: string): (baseUrl: string) => string {
  let written: { baseUrl: string; text: string } | undefined;
  return (baseUrl) => {
    if (written?.baseUrl !== baseUrl)
      written = { baseUrl, text: JSON.stringify(capabilityStatement(definitions, baseUrl, startedAt)) };
    return written.text;
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
  const read = await instanceRead(definitions, repository, request);
  if (read !== undefined) return read;
  if (request.method === 'POST' && segmentsOf(request.path).length === 0)
    return ok(await answerBundle(deps, definitions, repository, scope, request));
  const { status, resource } = await answerInteraction(repository, definitions, interactionOf(request));
  if (resource === undefined) return { status };
  const location = status === 201 && `${resource.resourceType}/${resource.id}`;
  return { status, resource, ...(location && { location }) };
}

async function answerBundle(
  deps: RepositoryDeps,
  definitions: FhirDefinitions,
  repository: CareRepository,
  { budget }: RequestScope,
  request: FhirHttpRequest,
): Promise<Resource> {
  const bundle = parseBundle(request.body);
  budget.allowEntries(bundle.entry.length);
  const run = entryRunner(definitions);
  if (bundle.type === 'batch') return runBatch(repository, bundle.entry, run, budget);
  return runTransaction(repository, bundle, run, deps.largeBundles);
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

function interactionOf(request: FhirHttpRequest): InteractionRequest {
  const { method, path, query, headers } = request;
  const isSearch = method === 'POST' && segmentsOf(path)[1] === '_search';
  const asked = isSearch
    ? { query: joinQuery(query, formBody(request)) }
    : { query, body: request.body?.length ? parseJson(request.body) : undefined };
  return {
    method,
    path,
    ...asked,
    ifMatch: headers['if-match'],
    ifNoneMatch: headers['if-none-match'],
    ifNoneExist: headers['if-none-exist'],
  };
}
