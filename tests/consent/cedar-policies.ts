/**
 * A second reading of FHIR Consent, as Cedar policies: every provision becomes one policy that holds where its chain of
 * provisions applies and none of its exceptions does. Cedar's `forbid` gives deny-overrides; its entity hierarchy gives the
 * purposes, taken from HL7's own code system. It shares no code with src/contracts/consent/decision.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { FhirConsent, FhirProvision } from './fhir-consent.ts';
import { SYSTEM } from './fhir-consent.ts';

const text = (value: string): string => JSON.stringify(value);
const set = (values: readonly string[]): string => `[${values.map(text).join(', ')}]`;

const LABEL_OF: Readonly<Record<string, string>> = {
  PSY: 'mental-health',
  HIV: 'hiv',
  ETH: 'substance-use',
  SEX: 'reproductive',
  GDIS: 'genetic',
};
const LEVEL_OF: Readonly<Record<string, number>> = { N: 4, R: 5, V: 6 };

type Effect = 'permit' | 'deny';
type Period = NonNullable<FhirProvision['dataPeriod']>;

/** No two times of the generator are further apart. */
const MOST_MS_APART = 16;

interface Chain {
  /** When a permission on the chain applies, and when a denial does, which also reaches what a record holds. */
  readonly conditions: Readonly<Record<Effect, readonly string[]>>;
  readonly labels: readonly string[];
  readonly level: number;
  readonly namesActor: boolean;
  readonly namesAction: boolean;
}

/** Policies of one consent. `context.label` is the label that a permit has to cover; empty for none. */
export function policiesOf(consent: FhirConsent): string[] {
  const rule = consent.policyRule.coding[0]?.code === 'OPTIN' ? 'permit' : 'deny';
  return policiesOfProvision(consent.provision, rule, {
    conditions: { permit: [], deny: [] },
    labels: [],
    level: 0,
    namesActor: false,
    namesAction: false,
  });
}

function policiesOfProvision(provision: FhirProvision, effect: Effect, outer: Chain): string[] {
  const { labels, level } = labelsOf(provision);
  const chain: Chain = {
    conditions: {
      permit: [...outer.conditions.permit, conditionOf(provision, 'permit')],
      deny: [...outer.conditions.deny, conditionOf(provision, 'deny')],
    },
    labels: [...outer.labels, ...labels],
    level: Math.max(outer.level, level),
    namesActor: outer.namesActor || provision.actor !== undefined,
    namesAction: outer.namesAction || provision.action !== undefined,
  };
  const nested = exceptionsOf(provision, effect);
  const applies = [
    ...chain.conditions[effect],
    ...nested.map(([exception, itsEffect]) => not(outcomesOf(exception, itsEffect).applies)),
  ];
  const own = effect === 'permit' ? permitPolicy(applies, chain) : forbidPolicy(applies);
  return [
    own,
    ...nested.flatMap(([exception, itsEffect]) => policiesOfProvision(exception, itsEffect, chain)),
  ];
}

const exceptionsOf = (provision: FhirProvision, effect: Effect): [FhirProvision, Effect][] =>
  (provision.provision ?? []).map((exception) => [
    exception,
    exception.type ?? (effect === 'permit' ? 'deny' : 'permit'),
  ]);

const not = (condition: string): string => `!(${condition})`;
const both = (...conditions: string[]): string => `(${conditions.join(' && ')})`;
const either = (...conditions: string[]): string => `(${['false', ...conditions].join(' || ')})`;

/** When a provision comes to a denial, to a permission, and to either: its exceptions may turn it into the other. */
function outcomesOf(provision: FhirProvision, effect: Effect): Record<Effect | 'applies', string> {
  const exceptions = exceptionsOf(provision, effect).map(([one, itsEffect]) => outcomesOf(one, itsEffect));
  const [narrow, wide] = [conditionOf(provision, 'permit'), conditionOf(provision, 'deny')];
  const untouched = not(either(...exceptions.map(({ applies }) => applies)));
  const denied = either(...exceptions.map(({ deny }) => deny));
  const permitted = both(not(denied), either(...exceptions.map(({ permit }) => permit)));
  const deny = both(wide, either(denied, effect === 'deny' ? untouched : 'false'));
  const permit = both(narrow, either(permitted, effect === 'permit' ? untouched : 'false'));
  // Where both reach as far, one of them holds whenever the condition does.
  return { deny, permit, applies: narrow === wide ? wide : either(deny, permit) };
}

function permitPolicy(applies: readonly string[], chain: Chain): string {
  const covers = [
    'context.label == ""',
    `(context.label != "sealed" && ${set(chain.labels)}.contains(context.label))`,
    `(context.label != "sealed" && ${chain.level} >= 5)`,
    `(context.label == "sealed" && ${chain.namesActor} && (${set(chain.labels)}.contains("sealed") || ${chain.level} >= 6))`,
  ];
  const writes = `(${chain.namesAction} || !["collect", "correct"].contains(context.action))`;
  return `permit(principal, action, resource) when { ${[...applies, writes, `(${covers.join(' || ')})`].join(' && ')} };`;
}

const SELF =
  '(principal.kind == "patient" && principal has patientId && principal.patientId == resource.patientId && ["access", "use"].contains(context.action))';

function forbidPolicy(applies: readonly string[]): string {
  return `forbid(principal, action, resource) when { !${SELF} && ${applies.join(' && ')} };`;
}

function labelsOf({ securityLabel = [] }: FhirProvision): { labels: string[]; level: number } {
  const levels = securityLabel
    .filter(({ system }) => system === SYSTEM.confidentiality)
    .map(({ code }) => LEVEL_OF[code] ?? 0);
  const labels = securityLabel
    .filter(({ system }) => system !== SYSTEM.confidentiality)
    .map(({ system, code }) => (system === SYSTEM.label ? code : (LABEL_OF[code] ?? '')));
  return { labels, level: Math.max(0, ...levels) };
}

/** Where the provision applies; what is denied is denied inside of other records, too. */
function conditionOf(provision: FhirProvision, effect: Effect): string {
  const { labels, level } = labelsOf(provision);
  const conditions: string[] = [];
  const add = (values: readonly unknown[] | undefined, condition: () => string): void => {
    if (values !== undefined) conditions.push(`(${condition()})`);
  };
  if (provision.period !== undefined) conditions.push(within('context.time', provision.period));
  add(provision.actor, () => (provision.actor ?? []).map(actorCondition).join(' || '));
  add(provision.action, () => `${set(codes(provision.action))}.contains(context.action)`);
  add(provision.purpose, () =>
    (provision.purpose ?? []).map(({ code }) => `context.purpose in Purpose::${text(code)}`).join(' || '),
  );
  add(
    provision.securityLabel,
    () => `(${level} > 0 && resource.level <= ${level}) || resource.labels.containsAny(${set(labels)})`,
  );
  add(provision.class, () => {
    const types = set((provision.class ?? []).map(({ code }) => code));
    const within = effect === 'deny' ? ` || resource.withinTypes.containsAny(${types})` : '';
    return `${types}.contains(resource.type)${within}`;
  });
  add(
    provision.code,
    () =>
      `resource.codes.containsAny(${set((provision.code ?? []).flatMap(({ coding }) => coding.map(({ system, code }) => `${system}|${code}`)))})`,
  );
  if (provision.dataPeriod !== undefined) conditions.push(dataPeriodCondition(provision.dataPeriod, effect));
  add(provision.data, () => (provision.data ?? []).map((one) => dataCondition(one, effect)).join(' || '));
  return conditions.length === 0 ? 'true' : `(${conditions.join(' && ')})`;
}

const codes = (concepts: FhirProvision['action']): string[] =>
  (concepts ?? []).flatMap(({ coding }) => coding.map(({ code }) => code));

/** Instants with milliseconds only: the generator writes no others. The end is inclusive. */
function within(fact: string, { start, end }: Period): string {
  const from = start === undefined ? 'true' : `${fact} >= ${Date.parse(start)}`;
  const until = end === undefined ? 'true' : `${fact} <= ${Date.parse(end)}`;
  return `(${from} && ${until})`;
}

/** Cedar asks nothing of each item of a set, so that the milliseconds of the period are named one by one. */
function dataPeriodCondition(period: Period, effect: Effect): string {
  const itself = within('resource.time', period);
  if (effect === 'permit') return itself;
  const aroundMs = Date.parse(period.start ?? period.end ?? '');
  const near = Array.from({ length: 2 * MOST_MS_APART }, (_, at) => aroundMs - MOST_MS_APART + at);
  const inside = near.filter(
    (timeMs) =>
      timeMs >= Date.parse(period.start ?? iso(timeMs)) && timeMs <= Date.parse(period.end ?? iso(timeMs)),
  );
  return `(resource.withinTimes.containsAny([${inside.join(', ')}]) || ${itself})`;
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

function actorCondition({ role, reference }: NonNullable<FhirProvision['actor']>[number]): string {
  const account = reference.reference.slice('urn:careledger:account:'.length);
  const [coding] = role.coding;
  const holds = coding?.system === SYSTEM.role ? `principal.roles.contains(${text(coding.code)})` : 'true';
  return `(principal in Account::${text(account)} && ${holds})`;
}

function dataCondition(
  { meaning, reference: { reference } }: NonNullable<FhirProvision['data']>[number],
  effect: Effect,
): string {
  const names = (...facts: string[]): string =>
    facts
      .filter((fact) => effect === 'deny' || !fact.startsWith('within'))
      .map((fact) => `resource.${fact}.contains(${text(reference)})`)
      .join(' || ');
  if (meaning === 'authoredby') return `(${names('authors', 'withinAuthors')})`;
  const itself = either(`resource.reference == ${text(reference)}`, names('withinResources') || 'false');
  if (meaning === 'instance') return itself;
  const links = meaning === 'dependents' ? names('references') : names('referredBy', 'withinReferredBy');
  return `(${itself} || ${links})`;
}

/** The custodian's default policy. */
export function defaultPolicies(options: {
  custodian: string;
  clinicianRoles: readonly string[];
  breakGlass: boolean;
}): string[] {
  const own = `principal in Account::${text(options.custodian)}`;
  const clinician = `principal.kind == "practitioner" && ${own} && principal.roles.containsAny(${set(options.clinicianRoles)})`;
  const treats = `(context.purpose == Purpose::"TREAT" || context.purpose == Purpose::"COC" || (${options.breakGlass} && context.purpose in Purpose::"ETREAT"))`;
  const unsealed = 'context.label != "sealed"';
  const permit = (...conditions: string[]): string =>
    `permit(principal, action, resource) when { ${conditions.join(' && ')} };`;
  return [
    permit(SELF),
    permit(
      'resource.delegates.contains(principal.id)',
      'context.action == "access"',
      'context.purpose in Purpose::"PATRQT"',
      unsealed,
    ),
    permit(clinician, treats, 'context.action != "disclose"', unsealed),
    permit(
      own,
      '["organisation", "device"].contains(principal.kind)',
      '["collect", "correct"].contains(context.action)',
      '(context.purpose == Purpose::"TREAT" || context.purpose == Purpose::"COC" || context.purpose in Purpose::"HOPERAT")',
      unsealed,
    ),
  ];
}

interface CodeSystemConcept {
  readonly code: string;
  readonly concept?: readonly CodeSystemConcept[];
}

/** Purposes as entities, from HL7's code system v3-ActReason. */
export function purposeEntities(): {
  uid: { type: string; id: string };
  attrs: Record<string, never>;
  parents: { type: string; id: string }[];
}[] {
  const path = createRequire(import.meta.url).resolve('hl7.fhir.r4.examples/CodeSystem-v3-ActReason.json');
  const { concept } = JSON.parse(readFileSync(path, 'utf8')) as { concept: CodeSystemConcept[] };
  const entities: ReturnType<typeof purposeEntities> = [];
  const walk = (concepts: readonly CodeSystemConcept[], parent: string | undefined): void => {
    for (const { code, concept: children = [] } of concepts) {
      const parents = parent === undefined ? [] : [{ type: 'Purpose', id: parent }];
      if (parent !== undefined || code === 'PurposeOfUse')
        entities.push({ uid: { type: 'Purpose', id: code }, attrs: {}, parents });
      walk(children, parent !== undefined || code === 'PurposeOfUse' ? code : undefined);
    }
  };
  walk(concept, undefined);
  return entities;
}
