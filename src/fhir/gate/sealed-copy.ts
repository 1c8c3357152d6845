import type { SealedCopy } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import type { Interaction } from './access-entry.ts';
import { candidateOf } from './candidate.ts';
import { type Evidence, judge, type Session } from './evidence.ts';
import type { Denied, GateDeps, SealedCopyGiven } from './gate-port.ts';
import type { JointDecision } from './joint-decision.ts';
import { type Judged, withheldLabels } from './judge-record.ts';
import { promised } from './log-decision.ts';
import { settle } from './open-record.ts';

type JudgedCopy = Judged & { readonly copy: SealedCopy | null };

/** Decides and logs as for any read; what leaves is closed, and only the patient of the record gets it. */
export async function giveSealedCopy<P>(
  deps: GateDeps<P>,
  session: Session,
  record: SealedRecord,
  interaction: Interaction,
): Promise<SealedCopyGiven<P> | Denied<P>> {
  const settled = await settle(deps, session, record, interaction, (evidence) =>
    judgeCopy(deps, session, evidence, record, interaction),
  );
  if (settled.outcome === 'denied') return settled;
  return { outcome: 'permitted', copy: settled.judged.copy, ...promised(settled.promises) };
}

async function judgeCopy<P>(
  deps: GateDeps<P>,
  session: Session,
  evidence: Evidence,
  record: SealedRecord,
  interaction: Interaction,
): Promise<JudgedCopy> {
  const candidate = candidateOf(record);
  const decision = forPatientAlone(judge(deps, session, evidence, candidate, interaction));
  const judged = { candidate, decision, content: undefined, copy: null };
  if (decision.effect === 'deny' || record.deleted) return judged;
  try {
    return { ...judged, copy: await record.sealedCopy() };
  } catch (failure) {
    return { ...judged, failure };
  }
}

/** Nobody else's key opens it, nothing can be cut out of it, and no rule can look into it. */
function forPatientAlone(decision: JointDecision): JointDecision {
  const { reason, certain, obligations, each } = decision;
  const isPatients = reason === 'patient-self' && certain && withheldLabels(obligations).length === 0;
  if (isPatients || decision.effect === 'deny') return decision;
  const denied = { effect: 'deny', reason: 'label-withheld', obligations: [] } as const;
  return {
    ...decision,
    ...denied,
    ...(each !== undefined && { each: each.map((one) => ({ ...one, ...denied })) }),
  };
}
