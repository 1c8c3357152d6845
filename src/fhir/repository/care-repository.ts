import type { Bundle, Resource } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import type { FhirDefinitions, RepositoryDeps, RequestScope } from '../fhir-deps.ts';
import { type Denied, type Interaction, isRedactedView, type Opened } from '../gate/index.ts';
import { UNDEFINED_YET } from '../labels/index.ts';
import type { RequestBudget } from '../request-budget.ts';
import { findMatches, type SearchContext } from '../search/find-matches.ts';
import { searchPage } from '../search/search-page.ts';
import { parseCondition, parseSearchQuery } from '../search/search-query.ts';
import { patchedResource } from './apply-patch.ts';
import type { Condition } from './conditional-interactions.ts';
import { denialError, goneError, notFoundError, partlySeenError } from './denial.ts';
import { historyBundle, parseHistoryQuery } from './read-history.ts';
import { directStore, type PendingStore, pendingStore, type RecordStore } from './record-store.ts';
import { withEffect } from './write-effect.ts';
import { checkPreconditions, type Preconditions } from './write-preconditions.ts';
import {
  isPlacedAnew,
  isSameContent,
  type WriteContext,
  type WriteKind,
  writeTombstone,
  writeVersion,
} from './write-version.ts';

/**
 * The records as one request may see and change them: it holds who asks. It sees the vault's metadata, and content only as the
 * gate gives it.
 */
export class CareRepository {
  readonly #deps: RepositoryDeps;
  readonly #definitions: FhirDefinitions;
  readonly #scope: RequestScope;
  readonly #store: RecordStore;
  readonly #isInTransaction: boolean;
  readonly #namersOf = new Map<string, readonly string[]>();
  readonly isLenient: boolean;

  constructor(
    deps: RepositoryDeps,
    definitions: FhirDefinitions,
    scope: RequestScope,
    isLenient: boolean,
    pending?: PendingStore,
  ) {
    this.#deps = deps;
    this.#definitions = definitions;
    this.#scope = scope;
    this.isLenient = isLenient;
    this.#store = pending ?? directStore(deps);
    this.#isInTransaction = pending !== undefined;
  }

  /** This server's address, which references may begin with. */
  get ownBase(): string {
    return this.#deps.baseUrl();
  }

  /** A Binary of this transaction that does not say whose it is belongs with a record of it that names it. */
  placeBinaryBy(id: string | undefined, namer: string | undefined): void {
    if (id !== undefined && namer !== undefined)
      this.#namersOf.set(id, [...(this.#namersOf.get(id) ?? []), namer]);
  }

  generateId(): string {
    return this.#deps.newId();
  }

  /** Under the id that it has, if any. */
  async createResource(resource: Resource): Promise<Resource> {
    return withEffect(await writeVersion(this.#writeContext, resource, undefined, 'create'), 'created');
  }

  async readResource(resourceType: string, id: string): Promise<Resource> {
    return this.#open(await this.#store.read(resourceType, id), 'read');
  }

  /** As `readResource`, for an answer that needs the text alone: the record's handle, and its text where nothing is withheld. */
  async readText(
    resourceType: string,
    id: string,
  ): Promise<{ record: SealedRecord; text?: string | undefined; resource: Resource }> {
    const record = await this.#store.read(resourceType, id);
    const opened = await this.#permitted(record, 'read');
    this.#count(opened);
    return {
      record: record as SealedRecord,
      text: opened.text,
      get resource() {
        return opened.resource as unknown as Resource;
      },
    };
  }

  async readVersion(resourceType: string, id: string, version: string): Promise<Resource> {
    if (!/^[1-9]\d{0,9}$/.test(version)) throw notFoundError();
    const key = { resourceType, id, version: Number(version) };
    return this.#open(await this.#store.readVersion(key), 'vread');
  }

  /** Of one resource, or of a type when `id` is undefined. */
  history(resourceType: string, id: string | undefined, search: string): Promise<Bundle> {
    const { gate, baseUrl, cursors } = this.#deps;
    const context = { gate, baseUrl, cursors, store: this.#store, scope: this.#scope };
    return historyBundle(context, parseHistoryQuery(context, resourceType, id, search));
  }

  /** A write of what is there already changes nothing and makes no version. */
  async updateResource(resource: Resource, preconditions: Preconditions = {}): Promise<Resource> {
    const existing =
      resource.id === undefined ? undefined : await this.#store.read(resource.resourceType, resource.id);
    return this.#update(resource, existing, preconditions, 'update');
  }

  /** Two patches side by side are both kept: the one that comes second is applied to what the first has made. */
  patchResource(
    resourceType: string,
    id: string,
    patch: unknown,
    preconditions: Preconditions = {},
  ): Promise<Resource> {
    return retryingConflicts(this.#scope.budget, () => this.#patch(resourceType, id, patch, preconditions));
  }

  /** The next version follows the very one that was patched; the vault refuses it when that is no longer the newest. */
  async #patch(
    resourceType: string,
    id: string,
    patch: unknown,
    preconditions: Preconditions,
  ): Promise<Resource> {
    const record = await this.#store.read(resourceType, id);
    // The answer holds all of the resource, and a `test` operation asks about it: to patch is to read all of it as well.
    const seen = await this.#permitted(record, 'read');
    this.#count(seen);
    const current = await this.#permitted(record, 'patch');
    if (seen.isRedacted || current.isRedacted) throw partlySeenError();
    const patched = patchedResource(current.resource as unknown as Resource, patch);
    this.#scope.budget.countContent(patched);
    if (patched.resourceType !== resourceType || patched.id !== id)
      throw new AppError('invalid-request', 'A patch cannot change the type or the id.');
    return this.#update(patched, record, preconditions, 'patch');
  }

  async deleteResource(resourceType: string, id: string, preconditions: Preconditions = {}): Promise<void> {
    const record = await this.#store.read(resourceType, id);
    await this.#check(record, preconditions, 'delete');
    if (record?.deleted === true && (await this.#mayTouch(record, 'delete'))) return;
    const current = await this.#permitted(record, 'delete');
    await writeTombstone(this.#writeContext, record as SealedRecord, current.resource as unknown as Resource);
  }

  /** Answers a search by the caller's own query string; `compartment` is the Patient of whose compartment it is. */
  searchText(types: readonly string[], search: string, compartment?: string): Promise<Bundle> {
    const asked = parseSearchQuery(types, search.replace(/^\?/, ''));
    const query = compartment === undefined ? asked : { ...asked, compartment };
    this.#refuseUnknownTypes(query.types);
    return searchPage(this.#searchContext(), query);
  }

  /**
   * What a condition finds for who asks, two at most. Its parameters are never passed over, whatever the caller prefers: it
   * would be met by something else. `handOut` gives what was found to the caller.
   */
  async matchesOf({ type, query }: Condition): Promise<Resource[]> {
    this.#refuseUnknownTypes([type]);
    const context = { ...this.#searchContext(), isLenient: false, isOfWrite: true };
    const matches = await findMatches(context, type, parseCondition(type, query));
    const opened = await Promise.all(
      matches
        .slice(0, 2)
        .map(async (match) => match.opened ?? ((await match.visible.open()) as Resource | null)),
    );
    return opened.filter((resource) => resource !== null && resource !== undefined);
  }

  handOut(resource: Resource): Resource {
    this.#scope.budget.countContent(resource);
    return resource;
  }

  #refuseUnknownTypes(types: readonly string[]): void {
    if (!types.every((type) => this.#definitions.resourceTypes.has(type)))
      throw new AppError('not-found', 'There is no such resource type in R4.');
  }

  /** All or nothing: what fails leaves nothing behind, and nothing is anchored before all is stored. */
  async withTransaction<R>(
    callback: (repository: CareRepository) => Promise<R>,
    options: { readonly serializable: boolean },
  ): Promise<R> {
    if (this.#isInTransaction) return callback(this);
    const attempt = async (): Promise<R> => {
      const pending = pendingStore(this.#deps);
      const inside = new CareRepository(this.#deps, this.#definitions, this.#scope, this.isLenient, pending);
      const result = await callback(inside);
      await pending.commit();
      return result;
    };
    const run = () => retryingConflicts(this.#scope.budget, attempt);
    // A conditional write must not race another one to the same condition.
    return options.serializable ? this.#deps.serialise(run) : run();
  }

  async #update(
    resource: Resource,
    existing: SealedRecord | undefined,
    preconditions: Preconditions,
    kind: WriteKind,
  ): Promise<Resource> {
    await this.#check(existing, preconditions, kind);
    if (existing !== undefined && !existing.deleted) {
      if (isRedactedView(resource)) await this.#refuseIfView(existing);
      const current = await this.#peek(existing, kind);
      // What says what it is may have come meanwhile: to write it again settles that.
      const isDefined = !existing.labels.includes(UNDEFINED_YET);
      const isSame = isDefined && current !== undefined && isSameContent(current, resource);
      const isUnchanged =
        isSame &&
        (await this.#mayKnowContent(existing)) &&
        !(await isPlacedAnew(this.#writeContext, existing, resource));
      if (isUnchanged) return withEffect(current, 'unchanged');
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
    return {
      deps: this.#deps,
      definitions: this.#definitions,
      scope: this.#scope,
      store: this.#store,
      namersOf: this.#namersOf,
    };
  }

  async #open(record: SealedRecord | undefined, interaction: Interaction): Promise<Resource> {
    const opened = await this.#permitted(record, interaction);
    this.#count(opened);
    return opened.resource as unknown as Resource;
  }

  #count(opened: Opened<string>): void {
    this.#scope.budget.countContent(opened.text ?? opened.resource);
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

  async #check(
    record: SealedRecord | undefined,
    preconditions: Preconditions,
    kind: Interaction,
  ): Promise<void> {
    const current = record?.deleted === true ? undefined : record;
    await checkPreconditions(
      preconditions,
      current?.key.version,
      async () =>
        current !== undefined &&
        ((await this.#mayTouch(current, kind)) || (await this.#mayTouch(current, 'read'))),
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
      ignored: [],
      sealed: new Set(),
      isOfWrite: false,
    };
  }
}

/** What is refused of these is refused alike whether the record exists, so nothing before that refusal may tell. */
const isWrite = (interaction: Interaction): boolean => interaction === 'create' || interaction === 'update';

const MAX_ATTEMPTS = 5;

/** Another transaction made one of the versions first: everything is read and decided again on what is there now. */
async function retryingConflicts<R>(budget: RequestBudget, attempt: () => Promise<R>): Promise<R> {
  const giveBack = budget.mark();
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const isConflict = error instanceof AppError && error.code === 'conflict';
      if (!isConflict || tries === MAX_ATTEMPTS) throw error;
      giveBack();
    }
  }
}
