import type { BundleEntry, Resource } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import { isConditionalReference } from '../definitions/patient-compartment.ts';
import { withoutVersion } from '../definitions/references.ts';
import type { CareRepository } from './care-repository.ts';
import { onlyMatch, withIdOf } from './conditional-interactions.ts';
import { notFoundError } from './denial.ts';
import { segmentsOf, splitUrl } from './interactions.ts';
import { located } from './located-entry.ts';
import { assignedId, rewriteReferences } from './transaction-ids.ts';

/** An entry as it is run. What it refers to by a search is looked up when all other writes are done (R4 http, "transaction"). */
export type ResolvedEntry = { readonly entry: BundleEntry; readonly conditions: ReadonlySet<string> };

type Target = { readonly entry: BundleEntry; readonly target?: string | undefined };
type Finder = Pick<CareRepository, 'matchesOf' | 'generateId'>;

/**
 * Gives every entry the address that its request comes to, before anything is written, and makes whatever refers to an entry by
 * its fullUrl refer to that address. A record whose reference to a Patient stays unresolved would be under nobody's consent.
 */
export async function resolveEntries(
  repository: Finder,
  entries: readonly BundleEntry[],
): Promise<ResolvedEntry[]> {
  const created = new Map<string, string>();
  const found: Target[] = [];
  for (const [place, entry] of entries.entries())
    found.push(await located(place, () => targetOf(repository, entry, created)));
  refuseTwiceTheSame(found);
  const targets = targetsByUrl(found);
  return Promise.all(found.map(({ entry }, place) => located(place, () => withReferences(entry, targets))));
}

/** The entry with each of its conditional references made what it finds now; it has to find exactly one. */
export async function resolveConditions(
  repository: Pick<CareRepository, 'matchesOf'>,
  { entry, conditions }: ResolvedEntry,
): Promise<BundleEntry> {
  const targets = new Map<string, string>();
  for (const condition of conditions) {
    const match = await addressOfOnly(repository, condition);
    if (match === undefined)
      throw new AppError(
        'precondition-failed',
        'A reference by a search finds nothing. It has to find one resource.',
      );
    targets.set(condition, match);
  }
  const resource = rewriteReferences(entry.resource, (reference) => targets.get(reference)) as Resource;
  return { ...entry, resource };
}

async function targetOf(
  repository: Finder,
  entry: BundleEntry,
  created: Map<string, string>,
): Promise<Target> {
  const url = plainUrl(entry.request?.url ?? '');
  const plain = { ...entry, request: { ...entry.request, url } } as BundleEntry;
  const method = entry.request?.method;
  if (method === 'POST') return createTarget(repository, plain, created);
  if (method !== 'PUT' && method !== 'PATCH' && method !== 'DELETE') return { entry };
  if (!isCondition(url)) return { entry: plain, target: splitUrl(url).path };
  const match = (await addressOfOnly(repository, url)) ?? created.get(url);
  if (match !== undefined) return { entry: at(plain, match), target: match };
  // Looked for again when the others are written, it could find what one of them has made: that would be changed twice.
  if (method === 'PATCH') throw notFoundError();
  if (method !== 'PUT' || plain.resource === undefined || plain.resource.id !== undefined)
    return { entry: plain };
  return putNew(repository, plain, url, created);
}

/** A create that is not to happen, because there is such a resource already, reads that one instead. */
async function createTarget(
  repository: Finder,
  entry: BundleEntry,
  created: Map<string, string>,
): Promise<Target> {
  const { resource, request, fullUrl } = entry;
  // Were it passed over, the entry would be no target, and what refers to it by its fullUrl would refer to somebody else.
  if (request?.url.includes('?'))
    throw new AppError('invalid-request', 'The url of a POST in a transaction is the type alone.');
  if (resource === undefined || request?.url !== resource.resourceType) return { entry };
  if (request.ifNoneExist === undefined) {
    return fullUrl === undefined ? { entry } : putNew(repository, entry, undefined, created);
  }
  const condition = `${request.url}?${request.ifNoneExist}`;
  const match = (await addressOfOnly(repository, condition)) ?? created.get(condition);
  if (match === undefined) return putNew(repository, entry, condition, created);
  return { entry: { ...entry, request: { method: 'GET', url: match } }, target: match };
}

function putNew(
  repository: Finder,
  entry: BundleEntry,
  condition: string | undefined,
  created: Map<string, string>,
): Target {
  const id = assignedId(entry) ?? repository.generateId();
  const target = `${entry.resource?.resourceType}/${id}`;
  if (condition !== undefined) created.set(condition, target);
  const isUpdate = entry.request?.method === 'PUT';
  return {
    entry: {
      ...entry,
      resource: { ...entry.resource, id } as Resource,
      request: { ...(isUpdate && entry.request), method: 'PUT', url: target },
    },
    target,
  };
}

function at(entry: BundleEntry, target: string): BundleEntry {
  const id = target.slice(target.indexOf('/') + 1);
  const isPut = entry.request?.method === 'PUT' && entry.resource !== undefined;
  return {
    ...entry,
    ...(isPut && { resource: withIdOf({ id }, entry.resource as Resource) }),
    request: { ...entry.request, url: target } as BundleEntry['request'],
  } as BundleEntry;
}

/** Whether the address of a write names no resource by its id, so that a search has to find it. */
export function isCondition(url: string): boolean {
  return segmentsOf(splitUrl(url).path).length < 2;
}

/** The address of the one resource that a search (`Patient?identifier=1`) finds for who asks; undefined when there is none. */
async function addressOfOnly(
  repository: Pick<CareRepository, 'matchesOf'>,
  condition: string,
): Promise<string | undefined> {
  const { path, query } = splitUrl(condition);
  const match = await onlyMatch(repository, { type: segmentsOf(path).join('/'), query });
  return match && `${match.resourceType}/${match.id}`;
}

function refuseTwiceTheSame(found: readonly Target[]): void {
  const changed = found.flatMap(({ entry, target }) =>
    target === undefined || entry.request?.method === 'GET' ? [] : [target],
  );
  if (new Set(changed).size === changed.length) return;
  throw new AppError(
    'invalid-request',
    'Two entries of the transaction change the same resource. R4 does not allow that.',
  );
}

function targetsByUrl(found: readonly Target[]): ReadonlyMap<string, string> {
  const targets = new Map<string, string>();
  for (const { entry, target } of found) {
    if (entry.fullUrl === undefined || target === undefined) continue;
    if ((targets.get(entry.fullUrl) ?? target) !== target)
      throw new AppError('invalid-request', 'Two entries of the transaction have the same fullUrl.');
    targets.set(entry.fullUrl, target);
  }
  return targets;
}

const REST_URL = /^(https?:\/\/.+\/)[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/;

/** R4 bundle, "Resolving references in Bundles": a relative reference is first one to the server that the entry comes from. */
function withReferences(entry: BundleEntry, targets: ReadonlyMap<string, string>): ResolvedEntry {
  const conditions = new Set<string>();
  if (entry.resource === undefined || entry.request?.method === 'GET') return { entry, conditions };
  const base = REST_URL.exec(entry.fullUrl ?? '')?.[1];
  // What is in a Bundle that is stored whole is not ours to resolve.
  const isBundle = entry.resource.resourceType === 'Bundle';
  const targetOf = (reference: string): string | undefined => {
    const plain = withoutVersion(reference.split('#', 1)[0] as string);
    const target =
      targets.get(reference) ??
      targets.get(plain) ??
      (base === undefined ? undefined : targets.get(base + plain));
    if (target !== undefined || isBundle) return target;
    if (isConditionalReference(reference)) conditions.add(reference);
    if (/^urn:(?:uuid|oid):/i.test(reference)) throw danglingError();
    return target;
  };
  const resource = rewriteReferences(entry.resource, targetOf, targets) as Resource;
  return { entry: { ...entry, resource }, conditions };
}

/** An entry of a batch cannot refer to another: there is no order among them (R4 http, "batch"). */
export function refuseDangling(entry: BundleEntry): void {
  withReferences(entry, new Map());
}

/** Nobody could ever follow it: such a name means something within its own bundle alone. */
function danglingError(): AppError {
  return new AppError(
    'invalid-resource',
    'A reference is to a urn that is the fullUrl of no entry that is written. Send both in one transaction, or write Type/id.',
  );
}

/** As it is read when it is run: `/Patient//1/` is `Patient/1`. */
function plainUrl(url: string): string {
  const { path, query } = splitUrl(url);
  const plain = segmentsOf(path).join('/');
  return query === '' ? plain : `${plain}?${query}`;
}
