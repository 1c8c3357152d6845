import { randomUUID } from 'node:crypto';
import { formatSearchQuery, type Operation, type SearchRequest, type WithId } from '@medplum/core';
import {
  type CreateResourceOptions,
  type DeleteResourceOptions,
  FhirRepository,
  type ReadHistoryOptions,
  type TransactionOptions,
  type UpdateResourceOptions,
} from '@medplum/fhir-router';
import type { Bundle, Parameters, Reference, Resource } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { localTarget } from '../definitions/references.ts';
import type { FhirDefinitions, RepositoryDeps, RequestScope } from '../fhir-deps.ts';
import { type Denied, type Interaction, isRedactedView, type Opened } from '../gate/index.ts';
import type { SearchContext } from '../search/find-matches.ts';
import { searchPage } from '../search/search-page.ts';
import { parseSearchQuery } from '../search/search-query.ts';
import { patchedResource } from './apply-patch.ts';
import { denialError, goneError, notFoundError, partlySeenError } from './denial.ts';
import { historyBundle, parseHistoryQuery } from './read-history.ts';
import { directStore, type PendingStore, pendingStore, type RecordStore } from './record-store.ts';
import { translatingErrors } from './translate-errors.ts';
import { withEffect } from './write-effect.ts';
import {
  isSameContent,
  type WriteContext,
  type WriteKind,
  writeTombstone,
  writeVersion,
} from './write-version.ts';

/**
 * The repository behind the router, one for each request: it holds who asks. It sees the vault's metadata, and content only as
 * the gate gives it.
 */
export class CareRepository extends FhirRepository {
  readonly #deps: RepositoryDeps;
  readonly #definitions: FhirDefinitions;
  readonly #scope: RequestScope;
  readonly #store: RecordStore;
  readonly #isInTransaction: boolean;
  readonly isLenient: boolean;
  readonly ignoredParameters: string[] = [];

  constructor(
    deps: RepositoryDeps,
    definitions: FhirDefinitions,
    scope: RequestScope,
    isLenient: boolean,
    pending?: PendingStore,
  ) {
    super();
    this.#deps = deps;
    this.#definitions = definitions;
    this.#scope = scope;
    this.isLenient = isLenient;
    this.#store = pending ?? directStore(deps);
    this.#isInTransaction = pending !== undefined;
  }

  /** One store serves both modes. */
  override setMode(): void {}

  override generateId(): string {
    return randomUUID();
  }

  override async createResource<T extends Resource>(
    resource: T,
    options?: CreateResourceOptions,
  ): Promise<WithId<T>> {
    const { id, ...rest } = resource;
    const next = options?.assignedId === true && id !== undefined ? resource : (rest as T);
    return withEffect(
      (await writeVersion(this.#writeContext, next, undefined, 'create')) as WithId<T>,
      'created',
    );
  }

  override async readResource<T extends Resource>(resourceType: string, id: string): Promise<WithId<T>> {
    return (await this.#open(await this.#store.read(resourceType, id), 'read')) as WithId<T>;
  }

  /** As `readResource`, for an answer that needs the text alone: the record's handle, and its text where nothing is withheld. */
  async readText(
    resourceType: string,
    id: string,
  ): Promise<{ record: SealedRecord; text?: string | undefined; resource: Resource }> {
    const record = await this.#store.read(resourceType, id);
    const opened = await this.#permitted(record, 'read');
    return {
      record: record as SealedRecord,
      text: opened.text,
      get resource() {
        return opened.resource as unknown as Resource;
      },
    };
  }

  override async readVersion<T extends Resource>(
    resourceType: string,
    id: string,
    version: string,
  ): Promise<WithId<T>> {
    if (!/^[1-9]\d{0,9}$/.test(version)) throw notFoundError();
    return (await this.#open(
      await this.#store.readVersion({ resourceType, id, version: Number(version) }),
      'vread',
    )) as WithId<T>;
  }

  override async readReference<T extends Resource>(reference: Reference<T>): Promise<WithId<T>> {
    const target = localTarget(reference.reference ?? '', this.#deps.baseUrl());
    if (target === undefined) throw new AppError('not-found', 'A reference is written Type/id here.');
    return this.readResource<T>(target.type, target.id);
  }

  override async readReferences<T extends Resource>(
    references: readonly Reference<T>[],
  ): Promise<(T | Error)[]> {
    return Promise.all(
      references.map((reference) =>
        this.readReference<T>(reference).catch((error: unknown) => error as Error),
      ),
    );
  }

  override async readHistory<T extends Resource>(
    resourceType: string,
    id: string,
    options?: ReadHistoryOptions,
  ): Promise<Bundle<WithId<T>>> {
    const search = options?.limit === undefined ? '' : `_count=${options.limit}`;
    return (await this.history(resourceType, id, search)) as Bundle<WithId<T>>;
  }

  /** Of one resource, or of a type when `id` is undefined. */
  history(resourceType: string, id: string | undefined, search: string): Promise<Bundle> {
    const { gate, baseUrl, cursors } = this.#deps;
    const context = { gate, baseUrl, cursors, store: this.#store, scope: this.#scope };
    return historyBundle(context, parseHistoryQuery(context, resourceType, id, search));
  }

  /** A write of what is there already changes nothing and makes no version. */
  override async updateResource<T extends Resource>(
    resource: T,
    options?: UpdateResourceOptions,
  ): Promise<WithId<T>> {
    const existing =
      resource.id === undefined ? undefined : await this.#store.read(resource.resourceType, resource.id);
    return (await this.#update(resource, existing, options, 'update')) as WithId<T>;
  }

  /** Two patches side by side are both kept: the one that comes second is applied to what the first has made. */
  override patchResource<T extends Resource>(
    resourceType: T['resourceType'],
    id: string,
    patch: Operation[] | Parameters,
    options?: UpdateResourceOptions,
  ): Promise<WithId<T>> {
    return retryingConflicts(() => this.#patch(resourceType, id, patch, options)) as Promise<WithId<T>>;
  }

  /** The next version follows the very one that was patched; the vault refuses it when that is no longer the newest. */
  async #patch(
    resourceType: string,
    id: string,
    patch: Operation[] | Parameters,
    options: UpdateResourceOptions | undefined,
  ): Promise<Resource> {
    const record = await this.#store.read(resourceType, id);
    // The answer holds all of the resource, and a `test` operation asks about it: to patch is to read all of it as well.
    const seen = await this.#permitted(record, 'read');
    const current = await this.#permitted(record, 'patch');
    if (seen.isRedacted || current.isRedacted) throw partlySeenError();
    const patched = patchedResource(current.resource as unknown as Resource, patch);
    if (patched.resourceType !== resourceType || patched.id !== id)
      throw new AppError('invalid-request', 'A patch cannot change the type or the id.');
    return this.#update(patched, record, options, 'patch');
  }

  override async deleteResource(
    resourceType: string,
    id: string,
    options?: DeleteResourceOptions,
  ): Promise<void> {
    const record = await this.#store.read(resourceType, id);
    await this.#checkIfMatch(record, options?.ifMatch, 'delete');
    if (record?.deleted === true && (await this.#mayTouch(record, 'delete'))) return;
    const current = await this.#open(record, 'delete');
    await writeTombstone(this.#writeContext, record as SealedRecord, current);
  }

  override async search<T extends Resource>(request: SearchRequest<T>): Promise<Bundle<WithId<T>>> {
    const types =
      request.types !== undefined && request.types.length > 0 ? request.types : [request.resourceType];
    return (await this.searchText(types, formatSearchQuery(request))) as Bundle<WithId<T>>;
  }

  /** Answers a search by the caller's own query string; `compartment` is the Patient of whose compartment it is. */
  searchText(types: readonly string[], search: string, compartment?: string): Promise<Bundle> {
    const asked = parseSearchQuery(types, search.replace(/^\?/, ''));
    const query = compartment === undefined ? asked : { ...asked, compartment };
    for (const type of query.types)
      if (!this.#definitions.resourceTypes.has(type))
        throw new AppError('not-found', 'There is no such resource type in R4.');
    return searchPage(this.#searchContext(), query);
  }

  override async searchByReference<T extends Resource>(
    request: SearchRequest<T>,
    field: string,
    references: string[],
  ): Promise<Record<string, WithId<T>[]>> {
    const found: Record<string, WithId<T>[]> = {};
    for (const reference of references) {
      const filters = [
        ...(request.filters ?? []),
        { code: field, operator: 'eq' as never, value: reference },
      ];
      const bundle = await this.search<T>({ ...request, filters });
      found[reference] = (bundle.entry ?? []).flatMap((entry) =>
        entry.resource === undefined ? [] : [entry.resource],
      );
    }
    return found;
  }

  /** All or nothing: what fails leaves nothing behind, and nothing is anchored before all is stored. */
  override async withTransaction<R>(
    callback: (repository: this) => Promise<R>,
    options?: TransactionOptions,
  ): Promise<R> {
    if (this.#isInTransaction) return callback(this);
    const attempt = async (): Promise<R> => {
      const pending = pendingStore(this.#deps);
      const inside = new CareRepository(this.#deps, this.#definitions, this.#scope, this.isLenient, pending);
      const result = await callback(translatingErrors(inside) as this);
      await pending.commit();
      return result;
    };
    const run = () => retryingConflicts(attempt);
    // A conditional write must not race another one to the same condition.
    return options?.serializable === true ? this.#deps.serialise(run) : run();
  }

  async #update(
    resource: Resource,
    existing: SealedRecord | undefined,
    options: UpdateResourceOptions | undefined,
    kind: WriteKind,
  ): Promise<Resource> {
    await this.#checkIfMatch(existing, options?.ifMatch, kind);
    if (existing !== undefined && !existing.deleted) {
      if (isRedactedView(resource)) await this.#refuseIfView(existing);
      const current = await this.#peek(existing, kind);
      const isSame = current !== undefined && isSameContent(current, resource);
      if (isSame && (await this.#mayKnowContent(existing))) return withEffect(current, 'unchanged');
    }
    const isNew = existing === undefined || existing.deleted;
    const written = await writeVersion(this.#writeContext, resource, existing, isNew ? 'create' : kind);
    return withEffect(written, isNew ? 'created' : 'changed');
  }

  /** To who may write and not read, "unchanged" would confirm a guess, unless the content is their own. */
  async #mayKnowContent(existing: SealedRecord): Promise<boolean> {
    return existing.author === this.#scope.session.accountId || this.#mayTouch(existing, 'read');
  }

  /** The tag may be the record's own, as another server gave it: it counts where this reader sees no more. */
  async #refuseIfView(existing: SealedRecord): Promise<void> {
    const seen = await this.#decide(existing, 'read');
    if (seen.outcome === 'permitted' && seen.isRedacted) throw partlySeenError();
  }

  get #writeContext(): WriteContext {
    return { deps: this.#deps, definitions: this.#definitions, scope: this.#scope, store: this.#store };
  }

  async #open(record: SealedRecord | undefined, interaction: Interaction): Promise<Resource> {
    return (await this.#permitted(record, interaction)).resource as unknown as Resource;
  }

  /** What the gate opened. A record that is not there, may not be seen or is deleted is an error. */
  async #permitted(record: SealedRecord | undefined, interaction: Interaction): Promise<Opened<string>> {
    if (record === undefined) throw notFoundError();
    const opened = await this.#decide(record, interaction);
    if (opened.outcome === 'denied') throw denialError(opened.code);
    if (record.deleted) throw goneError();
    return opened;
  }

  /** The current content when the requester may see all of it; a redacted view is never compared. */
  async #peek(record: SealedRecord, interaction: Interaction): Promise<Resource | undefined> {
    const opened = await this.#decide(record, interaction);
    return opened.outcome === 'permitted' && !opened.isRedacted
      ? ((opened.resource ?? undefined) as Resource | undefined)
      : undefined;
  }

  /**
   * RFC 9110 section 13.1.1: the write is for the version that the caller has seen. To who may neither see nor change it, a
   * record is as absent as one that never was.
   */
  async #checkIfMatch(
    record: SealedRecord | undefined,
    ifMatch: string | undefined,
    kind: Interaction,
  ): Promise<void> {
    if (ifMatch === undefined) return;
    const isNamed = record !== undefined && !record.deleted && String(record.key.version) === ifMatch;
    if (isNamed && ((await this.#mayTouch(record, kind)) || (await this.#mayTouch(record, 'read')))) return;
    throw new AppError(
      'precondition-failed',
      'The resource has changed, or is not there. Read it again and repeat with its new ETag.',
    );
  }

  async #mayTouch(record: SealedRecord, interaction: Interaction): Promise<boolean> {
    return (await this.#decide(record, interaction)).outcome === 'permitted';
  }

  /** Asks the gate. The promise of a denial would tell that there is something, so it goes to nobody who may not know. */
  async #decide(record: SealedRecord, interaction: Interaction): Promise<Opened<string> | Denied<string>> {
    const opened = await this.#deps.gate.open(this.#scope.session, record, interaction);
    const mayKnow = opened.outcome === 'permitted' || (opened.code === 'forbidden' && !isWrite(interaction));
    if (mayKnow) this.#scope.promises.push(opened.promise, ...opened.otherPromises);
    return opened;
  }

  #searchContext(): SearchContext {
    return {
      deps: this.#deps,
      definitions: this.#definitions,
      reader: this.#store,
      scope: this.#scope,
      isLenient: this.isLenient,
      ignored: this.ignoredParameters,
    };
  }
}

/** What is refused of these is refused alike whether the record exists, so nothing before that refusal may tell. */
const isWrite = (interaction: Interaction): boolean => interaction === 'create' || interaction === 'update';

const MAX_ATTEMPTS = 5;

/** Another transaction made one of the versions first: everything is read and decided again on what is there now. */
async function retryingConflicts<R>(attempt: () => Promise<R>): Promise<R> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const isConflict = error instanceof AppError && error.code === 'conflict';
      if (!isConflict || tries === MAX_ATTEMPTS) throw error;
    }
  }
}
