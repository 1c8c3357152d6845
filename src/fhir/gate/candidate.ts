import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { assignLabels, isPlacementOpen, type LabelAssignment, readStoredLabels } from '../labels/index.ts';
import type { JsonObject } from '../labels/resource-walk.ts';
import { type ContentFacts, contentFacts } from './content-facts.ts';
import type { EvidencePorts } from './evidence.ts';

/** What a decision is about: a stored version, or one that somebody wants to write. */
export interface Candidate {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  readonly patientId: string | null;
  readonly labels: LabelAssignment;
  /** The account that wrote it, where nobody can tell whose it is: it is for that one alone. */
  readonly onlyFor?: string | null;
  /** What the content says; nothing while it is closed. Made when a rule asks. */
  readonly facts: () => ContentFacts;
}

/** What is known of a stored version before it is opened. */
export function candidateOf(record: SealedRecord): Candidate {
  const { key, subject } = record;
  const stored = readStoredLabels(record.labels);
  // A key category without its label would mean that the two drifted apart: believe the more sensitive one.
  const own =
    record.category === 'sealed' && !stored.parts.includes('sealed')
      ? [...new Set([...stored.own, 'sealed'])].sort()
      : stored.own;
  return {
    type: key.resourceType,
    id: key.id,
    version: key.version,
    patientId: subject,
    labels: { ...stored, own },
    ...(isPlacementOpen(record.labels) && { onlyFor: record.author }),
    facts: () => ({}),
  };
}

/** The same, once the content is open: its own codes and labels count, and labels it was stored with stay. */
export function withContent(
  candidate: Candidate,
  resource: JsonObject,
  author: string | null,
  { labelTable, ownBase }: Pick<EvidencePorts, 'labelTable' | 'ownBase'>,
): Candidate {
  const fresh = assignLabels(resource, labelTable);
  const labels = joinLabels(candidate.labels, fresh);
  return { ...candidate, labels, facts: () => contentFacts(resource, author, ownBase()) };
}

/** The stored labels themselves when the content adds none. */
function joinLabels(stored: LabelAssignment, fresh: LabelAssignment): LabelAssignment {
  const adds = fresh.own.some((label) => !stored.own.includes(label));
  const addsParts = fresh.parts.some((label) => !stored.own.includes(label) && !stored.parts.includes(label));
  if (!adds && !addsParts) return stored;
  const own = [...new Set([...stored.own, ...fresh.own])].sort();
  const parts = [...new Set([...stored.parts, ...fresh.parts])]
    .filter((label) => !own.includes(label))
    .sort();
  return { own, parts };
}

/** A resource to be written, with the labels it will be stored with. */
export function candidateToWrite(
  write: {
    readonly type: string;
    readonly id: string;
    readonly version: number;
    readonly patientId: string | null;
    readonly resource: JsonObject;
    readonly author: string;
  },
  ports: EvidencePorts,
  options: { readonly previous?: readonly string[]; readonly inherited?: readonly string[] },
): Candidate {
  const { type, id, version, patientId, resource, author } = write;
  if (resource.resourceType !== type)
    throw new AppError('invalid-resource', 'The resource is of another type than the request says.');
  return {
    type,
    id,
    version,
    patientId,
    labels: assignLabels(resource, ports.labelTable, options),
    facts: () => contentFacts(resource, author, ports.ownBase()),
  };
}
