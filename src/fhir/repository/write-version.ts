import type { Resource } from '@medplum/fhirtypes';
import { AppError, canonicalJson, utf8 } from '../../shared/index.ts';
import type { SealedRecord, SealedWrite } from '../../vault/index.ts';
import { localTarget } from '../definitions/references.ts';
import type { FhirDefinitions, FhirDeps, RequestScope } from '../fhir-deps.ts';
import type { Denied, WritePermitted } from '../gate/index.ts';
import { InvalidResourceError } from '../http/outcome.ts';
import {
  definingReferences,
  holdersAfter,
  holderToken,
  isPlacementOpen,
  type LabelAssignment,
  type NamedPatients,
  OPEN_PLACEMENT,
  readStoredLabels,
  readStoredNames,
  toStoredHolders,
  toStoredLabels,
  toStoredNames,
  UNDEFINED_YET,
} from '../labels/index.ts';
import { tokensOfResource } from '../search/value-tokens.ts';
import { denialError } from './denial.ts';
import { type LinkedPlacement, placeWithLinked } from './linked-records.ts';
import type { RecordStore } from './record-store.ts';

export type WriteContext = {
  readonly deps: FhirDeps;
  readonly definitions: FhirDefinitions;
  readonly scope: RequestScope;
  readonly store: Pick<RecordStore, 'read' | 'put'>;
  /** Records written with a Binary (by its id) that name it. */
  readonly namersOf: ReadonlyMap<string, readonly string[]>;
};

export type WriteKind = 'create' | 'update' | 'patch';
type Json = Record<string, unknown>;
const ID = /^[A-Za-z0-9.-]{1,64}$/;

/** Validates, asks the gate, seals and stores the next version of a resource; returns it as stored. */
export async function writeVersion(
  context: WriteContext,
  resource: Resource,
  existing: SealedRecord | undefined,
  kind: WriteKind,
): Promise<Resource> {
  const next = nextVersion(context, resource, existing);
  const issues = context.definitions.validator(next);
  if (issues.length > 0) throw new InvalidResourceError(issues);
  const { subject, named, isOpen, labels: inheritedLabels } = await placementOf(context, next, existing);
  const verdict = await context.deps.gate.permitWrite(
    context.scope.session,
    {
      type: next.resourceType,
      id: next.id as string,
      version: versionAfter(existing),
      patientId: subject,
      named,
      resource: next as never,
      ...(existing !== undefined && { existing }),
      inheritedLabels,
    },
    kind,
  );
  promiseOf(context.scope, verdict);
  if (verdict.outcome === 'denied') throw denialError(verdict.code);
  const stored = storedLabels(verdict.labels, named, isOpen);
  await store(context, next, existing, { subject, ...stored, deleted: false });
  return next;
}

/** Under whom a resource is kept when it is written now, and the labels that it takes on from others. */
async function placementOf(
  context: WriteContext,
  resource: Resource,
  existing: SealedRecord | undefined,
): Promise<LinkedPlacement> {
  const { deps, definitions, store, namersOf } = context;
  const ownBase = deps.baseUrl();
  const own = definitions.compartment.placementOf(resource, ownBase);
  const namers = resource.resourceType === 'Binary' ? namersOf.get(resource.id ?? '') : undefined;
  const placement = await placeWithLinked(store, resource, own, ownBase, { namers, existing });
  return { ...placement, labels: [...placement.labels, ...(await labelsOfDefining(context, resource))] };
}

/**
 * Whether the same content is somebody else's by now, or more sensitive, because what it is linked to has changed. What cannot be
 * told any more stays as it was told.
 */
export async function isPlacedAnew(
  context: WriteContext,
  existing: SealedRecord,
  resource: Resource,
): Promise<boolean> {
  const { subject, named, labels, isOpen } = await placementOf(context, resource, existing);
  if (isOpen) return false;
  const stored = readStoredLabels(existing.labels).own;
  return (
    isPlacementOpen(existing.labels) ||
    subject !== existing.subject ||
    marksOf(named) !== marksOf(readStoredNames(existing.labels)) ||
    labels.some((label) => label !== UNDEFINED_YET && !stored.includes(label))
  );
}

const marksOf = (named: NamedPatients): string => toStoredNames(named).sort().join();

/** Stores a tombstone: the history keeps what was, and no search finds it any more. */
export async function writeTombstone(
  context: WriteContext,
  existing: SealedRecord,
  content: Resource,
): Promise<void> {
  const { resourceType, id } = existing.key;
  const named = readStoredNames(existing.labels);
  const verdict = await context.deps.gate.permitWrite(
    context.scope.session,
    {
      type: resourceType,
      id,
      version: versionAfter(existing),
      patientId: existing.subject,
      named,
      resource: content as never,
      existing,
    },
    'delete',
  );
  promiseOf(context.scope, verdict);
  if (verdict.outcome === 'denied') throw denialError(verdict.code);
  const tombstone = stamp(context, { resourceType, id } as Resource, existing);
  await store(context, tombstone, existing, {
    subject: existing.subject,
    ...storedLabels(readStoredLabels(existing.labels), named, isPlacementOpen(existing.labels)),
    deleted: true,
  });
}

/** One of a refusal, always: how many there are would tell how many patients a record names that the writer may not see. */
function promiseOf(scope: RequestScope, verdict: WritePermitted<string> | Denied<string>): void {
  scope.promises.push(verdict.promise, ...(verdict.outcome === 'permitted' ? verdict.otherPromises : []));
}

/** Labels, the marks of patients named beside them and of an open placement, and the category that the labels alone give. */
function storedLabels(assigned: LabelAssignment, named: NamedPatients, isOpen: boolean) {
  const { labels, category } = toStoredLabels(assigned);
  const marks = [...toStoredNames(named), ...(isOpen ? [OPEN_PLACEMENT] : [])];
  return { labels: [...labels, ...marks], category };
}

function nextVersion(
  context: WriteContext,
  resource: Resource,
  existing: SealedRecord | undefined,
): Resource {
  if (!context.definitions.resourceTypes.has(resource.resourceType)) {
    throw new AppError('not-found', 'There is no such resource type in R4. /metadata lists those there are.');
  }
  const id = resource.id ?? context.deps.newId();
  if (!ID.test(id))
    throw new InvalidResourceError([
      {
        severity: 'error',
        code: 'value',
        details: { text: 'An id has 1 to 64 letters, digits, hyphens and dots.' },
        expression: [`${resource.resourceType}.id`],
      },
    ]);
  return stamp(context, { ...resource, id }, existing);
}

function stamp(context: WriteContext, resource: Resource, existing: SealedRecord | undefined): Resource {
  // Not before the version it follows, whatever the clock does: a history reads forward.
  const lastUpdatedMs = Math.max(context.deps.now(), existing === undefined ? 0 : existing.lastUpdatedMs);
  const meta = {
    ...resource.meta,
    versionId: String(versionAfter(existing)),
    lastUpdated: new Date(lastUpdatedMs).toISOString(),
  };
  return { ...resource, meta };
}

function versionAfter(existing: SealedRecord | undefined): number {
  return existing === undefined ? 1 : existing.key.version + 1;
}

/** What is prescribed may be sensitive in itself: its labels are the prescription's too. What is not there may be anything. */
async function labelsOfDefining(context: WriteContext, resource: Resource): Promise<string[]> {
  const labels: string[] = [];
  const ownBase = context.deps.baseUrl();
  for (const reference of definingReferences(resource, ownBase)) {
    const { type, id } = localTarget(reference, ownBase) ?? {};
    if (type === undefined || id === undefined) continue;
    const target = await context.store.read(type, id);
    const stored = target?.labels ?? [UNDEFINED_YET];
    // An ingredient is a part of the medication, and all of what is prescribed.
    const { own, parts, provisional } = readStoredLabels(stored);
    labels.push(...own.filter((label) => !provisional?.includes(label)), ...parts);
    if (provisional !== undefined) labels.push(UNDEFINED_YET);
  }
  return labels;
}

type Placement = Pick<SealedWrite, 'subject' | 'labels' | 'deleted'> & Pick<SealedWrite, 'category'>;

async function store(
  context: WriteContext,
  resource: Resource,
  existing: SealedRecord | undefined,
  placement: Placement,
): Promise<void> {
  const holders = holdersAfter(existing?.labels ?? [], resource, context.deps.baseUrl());
  await context.store.put({
    ...placement,
    labels: [...placement.labels, ...toStoredHolders(holders)],
    key: {
      resourceType: resource.resourceType,
      id: resource.id as string,
      version: Number(resource.meta?.versionId),
    },
    author: context.scope.session.accountId,
    lastUpdatedMs: Date.parse(resource.meta?.lastUpdated as string),
    plaintext: utf8(canonicalJson(resource)),
    // Made when the version is sealed: those of a whole bundle would be many times as large as the bundle.
    get tokens() {
      const found = holders.map(holderToken);
      if (placement.deleted) return found;
      const { parameters } = context.definitions;
      return [...tokensOfResource(resource, parameters, context.deps.baseUrl()), ...found];
    },
  });
}

/** Whether both say the same, but for what the server adds. */
export function isSameContent(left: Resource, right: Resource): boolean {
  return canonicalJson(withoutStamp(left)) === canonicalJson(withoutStamp(right));
}

function withoutStamp(resource: Resource): Json {
  const { versionId: _version, lastUpdated: _updated, ...meta } = resource.meta ?? {};
  const { meta: _meta, ...rest } = resource as unknown as Json;
  return Object.keys(meta).length === 0 ? rest : { ...rest, meta };
}
