import type { Decision, Obligation } from '../../contracts/index.ts';

/** The decision about a record that names several patients; `each` is what its log has for each of them, the subject first. */
export interface JointDecision extends Decision {
  readonly each?: readonly Decision[];
}

/**
 * Every patient named must permit, and a denial of one overrides. Only the patient whom the record is about reads it whatever
 * those say who take part in it: it is that patient's own record.
 */
export function joinDecisions(
  ofSubject: Decision,
  ofOthers: readonly Decision[],
  isSubjectsOwn: boolean,
): JointDecision {
  if (ofOthers.length === 0) return ofSubject;
  if (isSubjectsOwn && ofSubject.reason === 'patient-self' && ofSubject.effect === 'permit')
    return { ...ofSubject, each: [ofSubject, ...ofOthers.map(() => ({ ...ofSubject, considered: [] }))] };
  const all = [ofSubject, ...ofOthers];
  const denying = all.filter(({ effect }) => effect === 'deny');
  return denying.length > 0 ? denied(all, denying) : permitted(all, ofSubject);
}

function denied(all: readonly Decision[], denying: readonly Decision[]): JointDecision {
  const isCertain = denying.some(({ certain }) => certain) || all.every(({ certain }) => certain);
  const [first] = denying as [Decision, ...Decision[]];
  return { ...first, certain: isCertain, each: all.map(overruled) };
}

/** What the log of a patient who would permit says: that another one's denial was the answer, not which rule it was. */
function overruled(decision: Decision): Decision {
  if (decision.effect === 'deny') return decision;
  return { ...decision, effect: 'deny', reason: 'named-patient-denies', matched: [], obligations: [] };
}

function permitted(all: readonly Decision[], ofSubject: Decision): JointDecision {
  const obligations = all.flatMap((one) => one.obligations);
  const labels = new Set(obligations.flatMap((one) => (one.kind === 'redact' ? one.labels : [])));
  const joined: Obligation[] = obligations.filter(({ kind }) => kind !== 'redact').slice(0, 1);
  if (labels.size > 0) joined.unshift({ kind: 'redact', labels: [...labels].sort() });
  return { ...ofSubject, obligations: joined, certain: all.every(({ certain }) => certain), each: all };
}

/** What is for its author alone is denied to everybody else, whatever the rules say of a record that is nobody's. */
export function closedToOthers(decision: JointDecision): JointDecision {
  return { ...closed(decision), ...(decision.each !== undefined && { each: decision.each.map(closed) }) };
}

function closed(decision: Decision): Decision {
  if (decision.effect === 'deny' && decision.certain) return decision;
  return {
    ...decision,
    effect: 'deny',
    certain: true,
    reason: 'no-subject',
    matched: [],
    obligations: [],
  };
}
