import { AppError } from '../../shared/index.ts';
import type {
  FindQuery,
  PendingCommitment,
  PutResult,
  RecordReader,
  SealedRecord,
  SealedWrite,
} from '../../vault/index.ts';
import type { FhirDeps } from '../fhir-deps.ts';
import { holds } from '../search/matches-content.ts';
import { readVersionUnderLabelsOfNow, underLabelsOfNow } from './labels-of-now.ts';

/** Where a repository reads versions and puts new ones. */
export type RecordStore = Pick<RecordReader, 'read' | 'readVersion' | 'history' | 'find'> & {
  put(write: SealedWrite): Promise<void>;
};

/** Each version is stored, and its commitment is on the ledger, before the write returns. */
export function directStore({ vault, anchor }: Pick<FhirDeps, 'vault' | 'anchor'>): RecordStore {
  return {
    ...readerOf(vault),
    async put(write) {
      const { commitment } = await vault.put(write);
      await anchor([commitmentOf(write, commitment)]);
    },
  };
}

/** Versions that are seen only by who wrote them, until they are stored all together. */
export type PendingStore = RecordStore & { commit(): Promise<void> };

/**
 * Gathers the writes of a bundle. Decisions are taken and logged meanwhile, so nothing is locked while they wait for the disk;
 * at the end all are stored in one transaction, which refuses when somebody else made one of the versions first.
 */
export function pendingStore(deps: Pick<FhirDeps, 'vault' | 'anchor'>): PendingStore {
  const writes: SealedWrite[] = [];
  const newest = new Map<string, SealedWrite>();
  const base = readerOf(deps.vault);
  const isReplaced = (record: SealedRecord) => newest.has(`${record.key.resourceType}/${record.key.id}`);
  return {
    ...base,
    async read(resourceType, id) {
      const pending = newest.get(`${resourceType}/${id}`);
      return pending === undefined ? base.read(resourceType, id) : recordOf(pending);
    },
    async find(query) {
      const stored = (await base.find(query)).filter((record) => !isReplaced(record));
      return [...[...newest.values()].filter((write) => isFound(write, query)).map(recordOf), ...stored];
    },
    async put(write) {
      writes.push(write);
      newest.set(`${write.key.resourceType}/${write.key.id}`, write);
    },
    async commit() {
      const stored = await deps.vault.putAll(writes);
      await deps.anchor(
        writes.map((write, place) => commitmentOf(write, (stored[place] as PutResult).commitment)),
      );
    },
  };
}

function readerOf(vault: FhirDeps['vault']): Pick<RecordReader, 'read' | 'readVersion' | 'history' | 'find'> {
  return {
    read: (resourceType, id) => vault.read(resourceType, id),
    readVersion: (key) => readVersionUnderLabelsOfNow(vault, key),
    history: async (query) => underLabelsOfNow(vault, await vault.history(query)),
    find: (query) => vault.find(query),
  };
}

function commitmentOf(write: SealedWrite, commitment: Uint8Array): PendingCommitment {
  return { key: write.key, subject: write.subject, commitment, author: write.author ?? null };
}

/** A version that is not sealed yet, in the shape of one that is: the gate decides on it all the same. */
function recordOf(write: SealedWrite): SealedRecord {
  return {
    key: write.key,
    subject: write.subject,
    labels: write.labels,
    category: write.category ?? 'general',
    lastUpdatedMs: write.lastUpdatedMs,
    deleted: write.deleted,
    author: write.author ?? null,
    commitment: new Uint8Array(32),
    open: async () => write.plaintext,
    disclose: async () => ({ salt: new Uint8Array(32), plaintext: write.plaintext }),
    sealedCopy: () => Promise.reject(new AppError('invalid-request', 'What is not stored has no copy.')),
  };
}

function isFound(write: SealedWrite, query: FindQuery): boolean {
  const { key, lastUpdatedMs } = write;
  if (write.deleted || !query.types.includes(key.resourceType)) return false;
  if (query.ids !== undefined && !query.ids.includes(key.id)) return false;
  if (lastUpdatedMs < (query.lastUpdated?.fromMs ?? 0)) return false;
  if (lastUpdatedMs >= (query.lastUpdated?.beforeMs ?? Number.POSITIVE_INFINITY)) return false;
  return query.where === undefined || holds(query.where, write.tokens);
}
