/**
 * One consent against one request, in three values: a criterion about a fact that is not known is neither met nor unmet.
 * Read at its `worst`, an unknown never helps the requester; read at its `best`, it always does. Where both readings
 * agree, the missing facts do not matter.
 */
import type { AccessRequest, DataTime, HeldContent, RequestActor, RequestResource } from './request.ts';
import { isDocumentType } from './resource-types.ts';
import { CONFIDENTIALITY, confidentialityOf, purposeWithin, SEALED } from './terminology.ts';
import {
  type ConsentTerms,
  type DataTerm,
  type Effect,
  END_OF_TIME_MS,
  type ProvisionTerms,
  START_OF_DATA_MS,
} from './terms.ts';

export type Reading = 'worst' | 'best';

/** What a permitting chain of provisions names, which sensitive records need. */
export interface Coverage {
  readonly labels: readonly string[];
  /** Highest confidentiality named. */
  readonly confidentiality: number;
  /** Whether a provision on the chain names the requester. */
  readonly namesActor: boolean;
  /** Whether a provision on the chain names the action. */
  readonly namesAction: boolean;
  /** Whether one chain names both the requester and sealed records: two consents cannot add up to that. */
  readonly unseals: boolean;
}

export interface ConsentOutcome {
  /** `silent`: the consent does not speak about this request. */
  readonly outcome: Effect | 'silent';
  /** The provisions that decided: `root`, `root.0.1`. */
  readonly paths: readonly string[];
  readonly coverage: Coverage;
}

const UNMET = 0;
const UNKNOWN = 1;
const MET = 2;
type Match = 0 | 1 | 2;

const all = (...matches: Match[]): Match => Math.min(...matches) as Match;
const met = (condition: boolean): Match => (condition ? MET : UNMET);

export const NO_COVERAGE: Coverage = {
  labels: [],
  confidentiality: 0,
  namesActor: false,
  namesAction: false,
  unseals: false,
};
const SILENT: ConsentOutcome = { outcome: 'silent', paths: [], coverage: NO_COVERAGE };

/** Evaluates terms for a record with exactly these labels. Valid when validFrom ≤ t < validUntil. */
export function evaluateTerms(
  terms: ConsentTerms,
  request: AccessRequest,
  labels: readonly string[],
  blockTimeMs: number,
  reading: Reading,
): ConsentOutcome {
  if (blockTimeMs < terms.validFromMs || blockTimeMs >= terms.validUntilMs) return SILENT;
  const scope: Scope = { request, labels, blockTimeMs, reading };
  return evaluateProvision(terms.root, 'root', NO_COVERAGE, scope) ?? SILENT;
}

interface Scope {
  readonly request: AccessRequest;
  readonly labels: readonly string[];
  readonly blockTimeMs: number;
  readonly reading: Reading;
}

/** Whether a provision takes part: certainly, or because the reading takes the unknown that way. */
function counts(match: Match, effect: Effect, reading: Reading): boolean {
  if (match !== UNKNOWN) return match === MET;
  return reading === 'worst' ? effect === 'deny' : effect === 'permit';
}

/** What a provision comes to, if it applies: a denial reaches further than a permission (`matchWithin`). */
function evaluateProvision(
  provision: ProvisionTerms,
  path: string,
  outer: Coverage,
  scope: Scope,
): ConsentOutcome | undefined {
  if (matchProvision(provision, scope, 'deny') === UNMET) return undefined;
  const inner = evaluateMatched(provision, path, outer, scope);
  const effect = inner.outcome as Effect;
  return counts(matchProvision(provision, scope, effect), effect, scope.reading) ? inner : undefined;
}

/** A provision that applies: its exceptions decide where any applies, deny first; else its own effect. */
function evaluateMatched(
  provision: ProvisionTerms,
  path: string,
  outer: Coverage,
  scope: Scope,
): ConsentOutcome {
  const coverage = widen(outer, provision, scope);
  const exceptions = provision.provisions.flatMap(
    (nested, index) => evaluateProvision(nested, `${path}.${index}`, coverage, scope) ?? [],
  );
  if (exceptions.length === 0) return { outcome: provision.effect, paths: [path], coverage };
  const denying = exceptions.filter(({ outcome }) => outcome === 'deny');
  return denying.length > 0 ? merge('deny', denying) : merge('permit', exceptions);
}

function merge(outcome: Effect, outcomes: readonly ConsentOutcome[]): ConsentOutcome {
  return {
    outcome,
    paths: outcomes.flatMap(({ paths }) => paths),
    coverage: joinCoverage(outcomes.map(({ coverage }) => coverage)),
  };
}

/** What several permits cover together. */
export function joinCoverage(coverages: readonly Coverage[]): Coverage {
  return {
    labels: coverages.flatMap(({ labels }) => labels),
    confidentiality: coverages.reduce(
      (highest, { confidentiality }) => Math.max(highest, confidentiality),
      0,
    ),
    namesActor: coverages.some(({ namesActor }) => namesActor),
    namesAction: coverages.some(({ namesAction }) => namesAction),
    unseals: coverages.some(({ unseals }) => unseals),
  };
}

function widen(outer: Coverage, provision: ProvisionTerms, { request }: Scope): Coverage {
  const labels = provision.labels.length === 0 ? outer.labels : [...outer.labels, ...provision.labels];
  const confidentiality = Math.max(outer.confidentiality, provision.confidentiality);
  const namesActor =
    outer.namesActor || (provision.actors.length > 0 && matchActors(provision, request.actor) === MET);
  const namesSealed = labels.includes(SEALED) || confidentiality >= CONFIDENTIALITY.veryRestricted;
  return {
    labels,
    confidentiality,
    namesActor,
    namesAction: outer.namesAction || provision.actions.includes(request.action),
    unseals: namesActor && namesSealed,
  };
}

/** How a provision matches whose outcome is this effect. */
function matchProvision(provision: ProvisionTerms, scope: Scope, effect: Effect): Match {
  const { request, labels, blockTimeMs } = scope;
  const { resource } = request;
  return all(
    met(provision.periodFromMs <= blockTimeMs && blockTimeMs < provision.periodUntilMs),
    matchActors(provision, request.actor),
    met(provision.actions.length === 0 || provision.actions.includes(request.action)),
    met(
      provision.purposes.length === 0 ||
        provision.purposes.some((purpose) => purposeWithin(request.purpose, purpose)),
    ),
    matchLabels(provision, labels),
    matchClass(provision, resource, effect),
    matchCodes(provision.codes, resource),
    matchDataPeriod(provision, resource, effect),
    matchAuthors(provision.authors, resource, effect),
    matchData(provision.data, resource, effect),
  );
}

function matchActors({ actors }: ProvisionTerms, requester: RequestActor): Match {
  if (actors.length === 0) return MET;
  return met(
    actors.some(
      ({ account, role }) =>
        (account === requester.accountId || account === requester.organisation) &&
        (role === '' || requester.roles.includes(role)),
    ),
  );
}

/** R4: confidentiality is a high-water mark ("R or lower"); a sensitivity label matches a record that carries it. */
function matchLabels({ confidentiality, labels: named }: ProvisionTerms, labels: readonly string[]): Match {
  if (confidentiality === 0 && named.length === 0) return MET;
  return met(confidentialityOf(labels) <= confidentiality || named.some((label) => labels.includes(label)));
}

/**
 * What a record holds of what a denial names is denied with it; a permission for what it holds does not open the rest of it. Where
 * the content is not known, it may hold anything.
 */
function matchWithin(
  outer: Match,
  effect: Effect,
  { within }: RequestResource,
  matchHeld: (held: HeldContent) => Match,
): Match {
  if (effect === 'permit' || outer === MET) return outer;
  if (within === undefined) return UNKNOWN;
  return Math.max(outer, matchHeld(within)) as Match;
}

function matchClass(provision: ProvisionTerms, resource: RequestResource, effect: Effect): Match {
  if (provision.resourceTypes.length === 0 && provision.documentCodes.length === 0) return MET;
  const outer = matchType(provision, resource.type, resource);
  return matchWithin(outer, effect, resource, ({ types }) =>
    met(types.some((type) => matchType(provision, type, resource) === MET)),
  );
}

/** R4: several classes are alternatives. A document code applies to documents only. */
function matchType(
  { resourceTypes, documentCodes }: ProvisionTerms,
  type: string,
  resource: RequestResource,
): Match {
  if (resourceTypes.includes(type)) return MET;
  if (documentCodes.length === 0 || !isDocumentType(type)) return UNMET;
  return matchCodes(documentCodes, resource);
}

/** R4: "If this code is found in an instance, then the rule applies." */
function matchCodes(codes: readonly string[], { codes: found }: RequestResource): Match {
  if (codes.length === 0) return MET;
  if (found === undefined) return UNKNOWN;
  return met(found.some(({ system, code }) => codes.includes(`${system}|${code}`)));
}

function matchDataPeriod(provision: ProvisionTerms, resource: RequestResource, effect: Effect): Match {
  if (provision.dataFromMs === START_OF_DATA_MS && provision.dataUntilMs === END_OF_TIME_MS) return MET;
  const { dataTimeMs, dataEndMs } = resource;
  const outer =
    dataTimeMs === undefined
      ? UNKNOWN
      : matchTime(provision, { fromMs: dataTimeMs, lastMs: Math.max(dataTimeMs, dataEndMs ?? dataTimeMs) });
  return matchWithin(outer, effect, resource, ({ times }) =>
    times.reduce<Match>((found, time) => Math.max(found, matchTime(provision, time)) as Match, UNMET),
  );
}

/** Wholly inside meets it, wholly outside does not, and what straddles the boundary is not known to be either. */
function matchTime({ dataFromMs, dataUntilMs }: ProvisionTerms, { fromMs, lastMs }: DataTime): Match {
  if (fromMs >= dataFromMs && lastMs < dataUntilMs) return MET;
  return lastMs < dataFromMs || fromMs >= dataUntilMs ? UNMET : UNKNOWN;
}

function matchAuthors(authors: readonly string[], resource: RequestResource, effect: Effect): Match {
  if (authors.length === 0) return MET;
  const isNamed = (found: readonly string[]): boolean => found.some((author) => authors.includes(author));
  const outer = resource.authors === undefined ? UNKNOWN : met(isNamed(resource.authors));
  return matchWithin(outer, effect, resource, (held) => met(isNamed(held.authors)));
}

function matchData(data: readonly DataTerm[], resource: RequestResource, effect: Effect): Match {
  if (data.length === 0) return MET;
  return Math.max(...data.map((term) => matchDatum(term, resource, effect))) as Match;
}

/** R4 consent-data-meaning: the instance; with what it refers to; with what refers to it; what somebody authored. */
function matchDatum({ meaning, reference }: DataTerm, resource: RequestResource, effect: Effect): Match {
  if (meaning === 'authoredby') return matchAuthors([reference], resource, effect);
  if (reference === `${resource.type}/${resource.id}`) return MET;
  const links = meaning === 'related' ? resource.referredBy : resource.references;
  const linked = links === undefined ? UNKNOWN : met(links.includes(reference));
  const outer = meaning === 'instance' ? UNMET : linked;
  return matchWithin(outer, effect, resource, ({ resources, referredBy }) =>
    met(resources.includes(reference) || (meaning === 'related' && referredBy.includes(reference))),
  );
}
