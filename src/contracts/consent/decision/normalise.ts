/** From a FHIR R4 Consent to canonical terms. Total: every input gives terms or located errors. */
import { err, ok, type Result } from '../../../shared/index.ts';
import {
  type ConsentTermsError,
  type FhirObject,
  type NormaliseContext,
  readConcept,
  readObject,
  refuseOthers,
  report,
} from './fhir-element.ts';
import { type PeriodBounds, parsePeriod } from './fhir-period.ts';
import { normaliseProvision } from './normalise-provision.ts';
import { ACT_CODE_SYSTEM, CONSENT_SCOPE_SYSTEM, POLICY_RULES, TERMINOLOGY_VERSION } from './terminology.ts';
import { type ConsentTerms, type Effect, END_OF_TIME_MS, encodeProvision, TERMS_LIMITS } from './terms.ts';

export interface NormaliseOptions {
  /** Account id (hexadecimal) behind a literal reference such as `Practitioner/1`; undefined when it is not known. */
  readonly resolveActor?: (reference: string) => string | undefined;
  /** Reference of the patient whose consent this must be, for example `Patient/1`. */
  readonly patientReference?: string;
}

const KNOWN = new Set(
  (
    'resourceType meta language text contained identifier status scope category patient dateTime performer organization ' +
    'sourceAttachment sourceReference policy policyRule verification provision'
  ).split(' '),
);

/** Normalises a FHIR R4 Consent. Whatever would change its meaning and is not understood is a located error. */
export function normaliseConsent(
  resource: unknown,
  options: NormaliseOptions = {},
): Result<ConsentTerms, ConsentTermsError[]> {
  const context: NormaliseContext = {
    errors: [],
    resolveActor: options.resolveActor ?? (() => undefined),
    provisionsLeft: TERMS_LIMITS.provisions,
  };
  const consent = readObject(context, resource, 'Consent');
  const terms = consent === undefined ? undefined : readConsent(context, consent, options);
  if (terms === undefined || context.errors.length > 0) return err(context.errors);
  if (encodeProvision(terms.root).length <= TERMS_LIMITS.encodedBytes - 32) return ok(terms);
  report(context, 'Consent.provision', 'limit', 'The terms are too large; split them into several consents.');
  return err(context.errors);
}

function readConsent(
  context: NormaliseContext,
  consent: FhirObject,
  options: NormaliseOptions,
): ConsentTerms | undefined {
  if (consent.resourceType !== 'Consent') {
    report(context, 'Consent.resourceType', 'malformed', 'This is not a FHIR Consent.');
    return undefined;
  }
  refuseOthers(context, consent, 'Consent', KNOWN);
  checkStatus(context, consent);
  checkScope(context, consent);
  checkPatient(context, consent, options);
  const provision =
    consent.provision === undefined ? {} : readObject(context, consent.provision, 'Consent.provision');
  if (provision === undefined) return undefined;
  const effect = rootEffect(context, consent, provision);
  const validity = rootValidity(context, provision);
  if (effect === undefined || validity === undefined) return undefined;
  const { type: _type, period: _period, ...criteria } = provision;
  const root = normaliseProvision(context, criteria, 'Consent.provision', effect, 0);
  return {
    terminologyVersion: TERMINOLOGY_VERSION,
    validFromMs: validity.fromMs,
    validUntilMs: validity.untilMs,
    root,
  };
}

function checkStatus(context: NormaliseContext, consent: FhirObject): void {
  if (consent.status === 'active') return;
  report(context, 'Consent.status', 'not-active', 'Only a consent with status active can be granted.');
}

function checkScope(context: NormaliseContext, consent: FhirObject): void {
  if (consent.scope === undefined) {
    report(context, 'Consent.scope', 'missing', 'A consent needs the scope patient-privacy.');
    return;
  }
  const codes = readConcept(context, consent.scope, 'Consent.scope');
  if (
    codes.length > 0 &&
    codes.every(({ system, code }) => system === CONSENT_SCOPE_SYSTEM && code === 'patient-privacy')
  )
    return;
  report(context, 'Consent.scope', 'wrong-scope', 'Only the scope patient-privacy is supported.');
}

function checkPatient(context: NormaliseContext, consent: FhirObject, options: NormaliseOptions): void {
  if (consent.patient === undefined) {
    if (options.patientReference !== undefined)
      report(context, 'Consent.patient', 'missing', 'A consent needs its patient.');
    return;
  }
  const patient = readObject(context, consent.patient, 'Consent.patient');
  if (patient === undefined || options.patientReference === undefined) return;
  if (patient.reference === options.patientReference) return;
  report(
    context,
    'Consent.patient',
    'patient-mismatch',
    'This consent is about another patient than the one who signs it.',
  );
}

function rootEffect(
  context: NormaliseContext,
  consent: FhirObject,
  provision: FhirObject,
): Effect | undefined {
  const fromRule =
    consent.policyRule === undefined ? undefined : policyRuleEffect(context, consent.policyRule);
  const type = provision.type;
  if (type !== undefined && type !== 'permit' && type !== 'deny') {
    report(context, 'Consent.provision.type', 'unknown-code', 'The type must be permit or deny.');
    return undefined;
  }
  if (fromRule !== undefined && type !== undefined && fromRule !== type) {
    report(
      context,
      'Consent.provision.type',
      'contradiction',
      'The type contradicts Consent.policyRule. Keep one of them.',
    );
    return undefined;
  }
  const effect = fromRule ?? type;
  if (effect === undefined && context.errors.length === 0) {
    report(
      context,
      'Consent.policyRule',
      'missing',
      'Say the base rule: policyRule OPTIN or OPTOUT, or provision.type.',
    );
  }
  return effect;
}

function policyRuleEffect(context: NormaliseContext, policyRule: unknown): Effect | undefined {
  const codes = readConcept(context, policyRule, 'Consent.policyRule');
  const effects = codes.map(({ system, code }) =>
    system === ACT_CODE_SYSTEM ? POLICY_RULES.get(code) : undefined,
  );
  if (effects.includes(undefined) || effects.length === 0) {
    report(
      context,
      'Consent.policyRule',
      'unknown-code',
      'The policy rule must be OPTIN or OPTOUT of v3-ActCode.',
    );
    return undefined;
  }
  if (new Set(effects).size === 1) return effects[0];
  report(context, 'Consent.policyRule', 'contradiction', 'The policy rule says both opt-in and opt-out.');
  return undefined;
}

function rootValidity(context: NormaliseContext, provision: FhirObject): PeriodBounds | undefined {
  const always = { fromMs: 0, untilMs: END_OF_TIME_MS };
  if (provision.period === undefined) return always;
  const period = readObject(context, provision.period, 'Consent.provision.period');
  if (period === undefined) return undefined;
  refuseOthers(context, period, 'Consent.provision.period', new Set(['start', 'end']));
  const parsed = parsePeriod(period, always);
  if (parsed.ok) return parsed.value;
  report(context, 'Consent.provision.period', 'period', `The period cannot be used: ${parsed.error}.`);
  return undefined;
}
