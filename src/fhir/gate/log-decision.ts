import type { Decision } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { AccessReceipt } from '../../vault/index.ts';
import { type AccessLogEntry, encodeAccessEntry, type Interaction } from './access-entry.ts';
import type { Candidate } from './candidate.ts';
import type { Evidence, Session } from './evidence.ts';
import type { GateDeps } from './gate-port.ts';
import type { JointDecision } from './joint-decision.ts';

/** Promises to log, of the subject's entry and of those for other patients. */
export type Promises<P> = readonly [P, ...P[]];

/** The same as an answer of the gate names them. */
export function promised<P>([promise, ...otherPromises]: Promises<P>) {
  return { promise, otherPromises };
}

/** An entry for each patient whom the records name, which were decided alike. Resolves when all are durable. */
export async function logDecision<P>(
  deps: GateDeps<P>,
  session: Session,
  evidence: Evidence,
  candidates: readonly Candidate[],
  interaction: Interaction,
  decision: JointDecision,
): Promise<Promises<P>> {
  const others = evidence.others.map((other, place) =>
    logFor(deps, session, other, candidates, interaction, decision.each?.[place + 1] ?? decision),
  );
  const own = logFor(deps, session, evidence, candidates, interaction, decision.each?.[0] ?? decision);
  return Promise.all([own, ...others]);
}

async function logFor<P>(
  deps: GateDeps<P>,
  session: Session,
  evidence: Evidence,
  candidates: readonly Candidate[],
  interaction: Interaction,
  decision: Decision,
): Promise<P> {
  const { accountId, kind, organisation, roles, purpose } = session;
  const entry: AccessLogEntry = {
    format: 'careledger-access/v1',
    timeMs: evidence.timeMs,
    custodian: deps.policy.custodian,
    ledgerHeight: evidence.height,
    actor: { accountId, kind, organisation, roles },
    purpose,
    interaction,
    effect: decision.effect,
    reason: decision.reason,
    matched: decision.matched,
    obligations: decision.obligations,
    engineVersion: decision.engineVersion,
    consents: decision.considered,
    patient: evidence.patientId,
    records: candidates.map(({ type, id, version }) => ({ type, id, version })),
  };
  const receipt = await append(deps, entry);
  if (
    evidence.patientId !== null &&
    decision.obligations.some((obligation) => obligation.kind === 'notify-patient')
  ) {
    deps.notifyPatient?.(evidence.patientId, entry);
  }
  return deps.promiseOf(receipt);
}

async function append<P>(deps: GateDeps<P>, entry: AccessLogEntry): Promise<AccessReceipt> {
  try {
    return await deps.accessLog.append({ subject: entry.patient, bytes: encodeAccessEntry(entry) });
  } catch (cause) {
    if (cause instanceof AppError && cause.code === 'disk-full') {
      throw new AppError(
        'disk-full',
        'The node has no space left for its access log, so nothing may be read or written. Free some space on its disk.',
        { cause },
      );
    }
    throw new AppError(
      'audit-failed',
      'The access log cannot be written, so nothing may be read. Check the disk of the node.',
      { cause },
    );
  }
}
