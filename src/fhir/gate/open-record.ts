import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { readStoredNames } from '../labels/index.ts';
import type { JsonObject } from '../labels/resource-walk.ts';
import type { Interaction } from './access-entry.ts';
import {
  type Evidence,
  type EvidencePorts,
  gatherEvidence,
  mayKnow,
  type Session,
  stillStands,
} from './evidence.ts';
import type { Denied, GateDeps, Opened } from './gate-port.ts';
import { type Judged, judgeRecord, view, withheldLabels } from './judge-record.ts';
import { logDecision, type Promises, promised } from './log-decision.ts';

const MAX_ATTEMPTS = 5;

/** Opens a version for whoever may see it. */
export async function openRecord<P>(
  deps: GateDeps<P>,
  session: Session,
  record: SealedRecord,
  interaction: Interaction,
): Promise<Opened<P> | Denied<P>> {
  const settled = await settle(deps, session, record, interaction, (evidence) =>
    judgeRecord(deps, session, evidence, record, interaction),
  );
  return settled.outcome === 'denied' ? settled : permitted(deps, settled.judged, settled.promises);
}

/**
 * Decides and logs. Decides again when a consent changed between the decision and the durable entry, so that no answer leaves
 * under an old one.
 */
export async function settle<P, J extends Judged>(
  deps: GateDeps<P>,
  session: Session,
  record: SealedRecord,
  interaction: Interaction,
  judgeUnder: (evidence: Evidence) => Promise<J>,
): Promise<{ readonly outcome: 'permitted'; judged: J; promises: Promises<P> } | Denied<P>> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const evidence = await gatherEvidence(deps, session, record.subject, readStoredNames(record.labels));
    const judged = await judgeUnder(evidence);
    const promises = await logDecision(
      deps,
      session,
      evidence,
      [judged.candidate],
      interaction,
      judged.decision,
    );
    if (judged.failure !== undefined) throw judged.failure;
    if (judged.decision.effect === 'deny')
      return denial(deps, session, evidence, judged, interaction, promises);
    if (await stillStands(deps, session, evidence)) return { outcome: 'permitted', judged, promises };
  }
  throw new AppError('busy', 'The consents for this record keep changing. Try again in a moment.');
}

function permitted<P>(ports: EvidencePorts, judged: Judged, promises: Promises<P>): Opened<P> {
  const { content, decision } = judged;
  const isRedacted = (content ?? null) !== null && withheldLabels(decision.obligations).length > 0;
  let shown: JsonObject | null | undefined;
  return {
    outcome: 'permitted',
    get resource() {
      if (shown === undefined) shown = view(ports, judged);
      return shown;
    },
    ...(!isRedacted && { text: content?.text }),
    isRedacted,
    decision,
    ...promised(promises),
  };
}

/** `not-found` to who may not know that it is there. */
export function denial<P>(
  deps: GateDeps<P>,
  session: Session,
  evidence: Evidence,
  judged: Judged,
  interaction: Interaction,
  promises: Promises<P>,
): Denied<P> {
  const isWriteOfOwn = interaction === 'create' || interaction === 'update';
  const entitled = isWriteOfOwn || mayKnow(deps, session, evidence, judged.candidate);
  return {
    outcome: 'denied',
    code: entitled ? 'forbidden' : 'not-found',
    decision: judged.decision,
    ...promised(promises),
  };
}
