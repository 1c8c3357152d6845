import type { Obligation } from '../../contracts/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { DEFAULT_LABEL_TABLE, type LabelTable } from '../labels/index.ts';
import type { JsonObject } from '../labels/resource-walk.ts';
import type { Interaction } from './access-entry.ts';
import { type Candidate, candidateOf, withContent } from './candidate.ts';
import { type Evidence, type EvidencePorts, judge, type Session } from './evidence.ts';
import type { JointDecision } from './joint-decision.ts';
import { type OpenedContent, openContent } from './opened-content.ts';
import { redactResource } from './redact.ts';

/** A decision about a stored version. */
export interface Judged {
  readonly candidate: Candidate;
  readonly decision: JointDecision;
  /** The content, where it had to be opened or may be seen; null for a tombstone. Never leaves but through `view`. */
  readonly content: OpenedContent | null | undefined;
  /** Why a record that may be seen could not be opened: thrown after the entry is durable. */
  readonly failure?: unknown;
}

/** Decides on what is known without the content; opens it only when it may be seen, or when the rules need to know it. */
export async function judgeRecord(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  record: SealedRecord,
  interaction: Interaction,
): Promise<Judged> {
  const candidate = candidateOf(record);
  const decision = judge(ports, session, evidence, candidate, interaction);
  if (decision.effect === 'deny' && decision.certain) return { candidate, decision, content: undefined };
  if (record.deleted) return { candidate, decision, content: null };
  const isKnown = labelsNothingMore.get(record) === ports.labelTable;
  const opened = await openContent(record, isKnown);
  if ('failure' in opened) {
    return {
      candidate,
      decision,
      content: undefined,
      ...(decision.effect === 'permit' && { failure: opened.failure }),
    };
  }
  // Nothing in the content can change a certain answer but labels that it was not stored with.
  if (decision.certain && isKnown) return { candidate, decision, content: opened.content };
  const known = withContent(candidate, opened.content.resource, record.author, ports);
  if (known.labels === candidate.labels) {
    labelsNothingMore.set(record, ports.labelTable);
    if (decision.certain) return { candidate, decision, content: opened.content };
  }
  return {
    candidate: known,
    decision: judge(ports, session, evidence, known, interaction),
    content: opened.content,
  };
}

/** Versions whose content was read under a table and says no label but those it is stored with: a version never changes. */
const labelsNothingMore = new WeakMap<SealedRecord, LabelTable>();

/** Like `judgeRecord`, but content is opened only where the rules need it, and kept nowhere: of thousands it would fill the memory. */
export async function judgeVisible(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  record: SealedRecord,
  interaction: Interaction,
): Promise<Judged> {
  const candidate = candidateOf(record);
  const decision = judge(ports, session, evidence, candidate, interaction);
  const isSettled = decision.certain && (decision.effect === 'deny' || !mayBeLabelledMore(ports, record));
  if (isSettled) return { candidate, decision, content: undefined };
  const judged = await judgeRecord(ports, session, evidence, record, interaction);
  return { ...judged, candidate: { ...judged.candidate, facts: candidate.facts }, content: undefined };
}

/** Rows that a hospital adds count for what was stored before them too: a total or a link must not tell of what they hide. */
function mayBeLabelledMore({ labelTable }: EvidencePorts, record: SealedRecord): boolean {
  return labelTable !== DEFAULT_LABEL_TABLE && labelsNothingMore.get(record) !== labelTable;
}

/** Whether a part of the record is withheld. */
export function hasHiddenParts({ candidate, decision }: Judged): boolean {
  return withheldLabels(decision.obligations).some((label) => candidate.labels.parts.includes(label));
}

/** What may leave: the content as the obligations leave it. */
export function view(ports: EvidencePorts, { content, decision }: Judged): JsonObject | null {
  if (content === null || content === undefined) return null;
  const withheld = withheldLabels(decision.obligations);
  return withheld.length === 0
    ? content.resource
    : redactResource(content.resource, withheld, ports.labelTable);
}

export function withheldLabels(obligations: readonly Obligation[]): readonly string[] {
  return obligations.flatMap((obligation) => (obligation.kind === 'redact' ? obligation.labels : []));
}
