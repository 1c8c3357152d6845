import type { SealedRecord } from '../../vault/index.ts';
import { isPlacementOpen, readStoredNames } from '../labels/index.ts';
import type { Interaction } from './access-entry.ts';
import { candidateToWrite } from './candidate.ts';
import { gatherEvidence, judge, type Session } from './evidence.ts';
import type { Denied, GateDeps, WritePermitted, WriteRequest } from './gate-port.ts';
import { hasHiddenParts, type Judged, judgeRecord } from './judge-record.ts';
import { logDecision, promised } from './log-decision.ts';
import { denial } from './open-record.ts';

/** Decides on what is to be written and on what it takes the place of; the entry is durable before this resolves. */
export async function permitWrite<P>(
  deps: GateDeps<P>,
  session: Session,
  write: WriteRequest,
  interaction: 'create' | 'update' | 'patch' | 'delete',
): Promise<WritePermitted<P> | Denied<P>> {
  const { existing } = write;
  if (existing !== undefined) {
    const refused = await refusedOnExisting(deps, session, existing, write, interaction);
    if (refused !== undefined) return refused;
  }
  const evidence = await gatherEvidence(deps, session, write.patientId, write.named);
  const candidate = candidateToWrite({ ...write, author: session.accountId }, deps, {
    ...(existing !== undefined && { previous: existing.labels }),
    ...(write.inheritedLabels !== undefined && { inherited: write.inheritedLabels }),
  });
  const decision = judge(deps, session, evidence, candidate, interaction);
  const promises = await logDecision(deps, session, evidence, [candidate], interaction, decision);
  const judged = { candidate, decision, content: undefined };
  if (decision.effect === 'deny') return denial(deps, session, evidence, judged, interaction, promises);
  return { outcome: 'permitted', decision, labels: candidate.labels, ...promised(promises) };
}

/**
 * Who may not change the version that is there may not replace it either, nor move it to another patient. What is deleted may be
 * made anew for the same patient by whoever may write for that patient; for another it is a move like any. What is for its author
 * alone stays so.
 */
async function refusedOnExisting<P>(
  deps: GateDeps<P>,
  session: Session,
  existing: SealedRecord,
  { patientId }: Pick<WriteRequest, 'patientId'>,
  interaction: Interaction,
): Promise<Denied<P> | undefined> {
  const isOpen = isPlacementOpen(existing.labels);
  if (existing.deleted && existing.subject === patientId && !isOpen) return undefined;
  const named = readStoredNames(existing.labels);
  const evidence = await gatherEvidence(deps, session, existing.subject, named);
  const judged = withoutBlindWrites(await judgeRecord(deps, session, evidence, existing, interaction));
  if (judged.decision.effect === 'permit' && judged.failure === undefined) return undefined;
  const promises = await logDecision(
    deps,
    session,
    evidence,
    [judged.candidate],
    interaction,
    judged.decision,
  );
  if (judged.failure !== undefined) throw judged.failure;
  return denial(deps, session, evidence, judged, interaction, promises);
}

/** Who sees only a part of a record would lose the rest by writing it back. */
function withoutBlindWrites(judged: Judged): Judged {
  if (judged.decision.effect === 'deny' || !hasHiddenParts(judged)) return judged;
  return {
    ...judged,
    decision: { ...judged.decision, effect: 'deny', reason: 'label-withheld', obligations: [] },
  };
}
