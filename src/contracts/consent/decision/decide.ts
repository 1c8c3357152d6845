/**
 * The decision. Pure, total and independent of the order of its inputs: the same consents, request and time give the same
 * answer on every node and at every later audit. Deny overrides; what is unknown, unreadable or expired never permits.
 */
import {
  type CustodianPolicy,
  type DefaultRule,
  isOwnRecord,
  isUsable,
  patientRecordRule,
  subjectlessRule,
} from './default-policy.ts';
import {
  type ConsentOutcome,
  type Coverage,
  evaluateTerms,
  joinCoverage,
  NO_COVERAGE,
  type Reading,
} from './evaluate.ts';
import {
  type AccessRequest,
  type ActiveConsent,
  type Decision,
  type DecisionReason,
  ENGINE_VERSION,
  isValidRequest,
  type Obligation,
} from './request.ts';
import { CONFIDENTIALITY, SEALED, SENSITIVITY_LABELS, TERMINOLOGY_VERSION } from './terminology.ts';
import type { ConsentTerms, ProvisionTerms } from './terms.ts';

export interface DecisionInput {
  readonly custodianPolicy: CustodianPolicy;
  readonly consents: readonly ActiveConsent[];
  readonly request: AccessRequest;
  readonly blockTimeMs: number;
}

/** Decides by the patient's consents alone. */
export function decide(
  consents: readonly ActiveConsent[],
  request: AccessRequest,
  blockTimeMs: number,
): Decision {
  const usable = isValidRequest(request, blockTimeMs);
  return conclude(sortConsents(consents), request, blockTimeMs, usable, () => undefined);
}

/** Decides by the custodian's default policy, narrowed and widened by the patient's consents. */
export function decideAccess({ custodianPolicy, consents, request, blockTimeMs }: DecisionInput): Decision {
  const usable = isUsable(custodianPolicy, request, blockTimeMs);
  if (usable && request.resource.patientId === null) return decideWithoutSubject(custodianPolicy, request);
  return conclude(sortConsents(consents), request, blockTimeMs, usable, () =>
    patientRecordRule(custodianPolicy, request),
  );
}

/** What one reading of the facts comes to. */
interface Verdict {
  readonly effect: 'permit' | 'deny';
  readonly reason: DecisionReason;
  readonly matched: readonly string[];
  readonly redacted: readonly string[];
  readonly notifyPatient: boolean;
  readonly coverage: Coverage;
}

const refusal = (reason: DecisionReason, matched: readonly string[] = []): Verdict => ({
  effect: 'deny',
  reason,
  matched,
  redacted: [],
  notifyPatient: false,
  coverage: NO_COVERAGE,
});

function conclude(
  consents: readonly ActiveConsent[],
  request: AccessRequest,
  blockTimeMs: number,
  usable: boolean,
  defaultRule: () => DefaultRule | undefined,
): Decision {
  if (!usable) return toDecision(refusal('invalid-request'), consents, true);
  if (request.actor.suspended === true) return toDecision(refusal('actor-suspended'), consents, true);
  const weigh = {
    consents,
    request,
    blockTimeMs,
    rule: defaultRule(),
    readsLabels: consents.some(hasLabelCriteria),
  };
  const worst = verdict(weigh, 'worst');
  return toDecision(worst, consents, isCertain(weigh, worst));
}

/** Certain when no fact that was left out can change the effect or the obligations. */
function isCertain(weigh: Weighing, worst: Verdict): boolean {
  const { labels, ownLabels } = weigh.request.resource;
  const ownIsKnown = ownLabels !== undefined || labels.length === 0;
  if (ownIsKnown && weigh.consents.length === 0) return true;
  if (!ownIsKnown && weigh.readsLabels) return false;
  const best = verdict(weigh, 'best');
  return (
    best.effect === worst.effect &&
    best.redacted.join() === worst.redacted.join() &&
    best.notifyPatient === worst.notifyPatient
  );
}

function hasLabelCriteria({ terms }: ActiveConsent): boolean {
  const reads = (provision: ProvisionTerms): boolean =>
    provision.labels.length > 0 || provision.confidentiality > 0 || provision.provisions.some(reads);
  return terms !== null && reads(terms.root);
}

interface Weighing {
  readonly consents: readonly ActiveConsent[];
  readonly request: AccessRequest;
  readonly blockTimeMs: number;
  readonly rule: DefaultRule | undefined;
  /** Whether any consent speaks of labels. If none does, a further label changes only what has to be covered. */
  readonly readsLabels: boolean;
}

/**
 * Decides on the record, then on each label it might carry in a part: what would be withheld is taken out. Labels that the
 * record is not known to have are asked, too, so that the obligation does not tell what is hidden in it.
 */
function verdict(weigh: Weighing, reading: Reading): Verdict {
  const { labels, ownLabels } = weigh.request.resource;
  const own = ownLabels ?? (reading === 'worst' ? labels : []);
  const whole = verdictFor(weigh, own, reading);
  if (whole.effect === 'deny') return whole;
  const asked = SENSITIVITY_LABELS.filter(
    (label) => !own.includes(label) && (label !== SEALED || labels.includes(label)),
  );
  const isWithheld = (label: string): boolean =>
    weigh.readsLabels
      ? verdictFor(weigh, [...own, label], reading).effect === 'deny'
      : !isCovered(label, weigh.rule, whole.coverage);
  return { ...whole, redacted: asked.filter(isWithheld) };
}

/** The decision for a record that carries exactly these labels. */
function verdictFor(weigh: Weighing, labels: readonly string[], reading: Reading): Verdict {
  const { rule, request } = weigh;
  if (rule !== undefined && isOwnRecord(request)) return permitted(rule, [], NO_COVERAGE);
  const inForce = weigh.consents.filter((consent) => isInForce(consent, weigh.blockTimeMs));
  if (!inForce.every(isReadable)) return refusal('consent-unreadable');
  const outcomes = inForce.map((consent) => ({
    consent,
    ...evaluateTerms(consent.terms, request, labels, weigh.blockTimeMs, reading),
  }));
  const denying = outcomes.filter(({ outcome }) => outcome === 'deny');
  if (denying.length > 0) return refusal('consent-denies', denying.flatMap(matchedPaths));
  const permitting = outcomes.filter(
    (outcome) => outcome.outcome === 'permit' && reachesAction(outcome.coverage, request),
  );
  if (rule === undefined && permitting.length === 0) return refusal('no-consent');
  const coverage = joinCoverage(permitting.map((outcome) => outcome.coverage));
  if (labels.some((label) => !isCovered(label, rule, coverage))) return refusal('label-withheld');
  return permitted(rule, permitting.flatMap(matchedPaths), coverage);
}

function permitted(rule: DefaultRule | undefined, paths: readonly string[], coverage: Coverage): Verdict {
  return {
    effect: 'permit',
    reason: rule?.reason ?? 'consent-permits',
    matched: rule === undefined ? paths : [`default:${rule.reason}`, ...paths],
    redacted: [],
    notifyPatient: rule?.notifyPatient ?? false,
    coverage,
  };
}

/** A sensitive record needs a rule that reaches it or a consent that names it; `sealed` a consent that names who, too. */
function isCovered(label: string, rule: DefaultRule | undefined, coverage: Coverage): boolean {
  if (label === SEALED) return rule?.sealed === true || coverage.unseals;
  if (rule?.sensitive === true) return true;
  return coverage.labels.includes(label) || coverage.confidentiality >= CONFIDENTIALITY.restricted;
}

/** A permission to write has to say so: a consent that names no action lets nobody change the record. */
function reachesAction(coverage: Coverage, { action }: AccessRequest): boolean {
  return coverage.namesAction || (action !== 'collect' && action !== 'correct');
}

function isReadable(consent: ActiveConsent): consent is ActiveConsent & { terms: ConsentTerms } {
  return consent.terms !== null && consent.terms.terminologyVersion === TERMINOLOGY_VERSION;
}

/** Valid on the ledger when validFrom ≤ t < validUntil. The terms carry the same bounds; both must allow. */
function isInForce({ validFromMs, validUntilMs }: ActiveConsent, blockTimeMs: number): boolean {
  return (validFromMs ?? 0) <= blockTimeMs && (validUntilMs === undefined || blockTimeMs < validUntilMs);
}

function matchedPaths({ consent, paths }: ConsentOutcome & { consent: ActiveConsent }): string[] {
  return paths.map((path) => `consent:${consent.id}#${consent.version}:${path}`);
}

function decideWithoutSubject(policy: CustodianPolicy, request: AccessRequest): Decision {
  if (request.actor.suspended === true) return toDecision(refusal('actor-suspended'), [], true);
  const rule = subjectlessRule(policy, request);
  if (rule === undefined) return toDecision(refusal('no-subject'), [], true);
  const { labels } = request.resource;
  const isWithheld = labels.includes(SEALED) || (labels.length > 0 && !rule.sensitive);
  if (isWithheld) return toDecision(refusal('label-withheld'), [], true);
  return toDecision(permitted(rule, [], NO_COVERAGE), [], true);
}

function sortConsents(consents: readonly ActiveConsent[]): ActiveConsent[] {
  return [...consents].sort((left, right) => compareText(left.id, right.id) || left.version - right.version);
}

const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

function toDecision(result: Verdict, consents: readonly ActiveConsent[], certain: boolean): Decision {
  const obligations: Obligation[] = [];
  if (result.redacted.length > 0) obligations.push({ kind: 'redact', labels: result.redacted });
  if (result.notifyPatient) obligations.push({ kind: 'notify-patient' });
  return {
    effect: result.effect,
    obligations,
    matched: [...new Set(result.matched)].sort(compareText),
    reason: result.reason,
    engineVersion: ENGINE_VERSION,
    considered: consents.map(({ id, version }) => ({ id, version })),
    certain,
  };
}
