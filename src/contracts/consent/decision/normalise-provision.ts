/** One provision of a FHIR R4 Consent, and the exceptions nested in it. */
import { compareBytes, equalBytes } from '../../../shared/index.ts';
import {
  type Code,
  type FhirObject,
  type NormaliseContext,
  readCoding,
  readConcept,
  readItems,
  readObject,
  refuseOthers,
  report,
  sortedUnique,
} from './fhir-element.ts';
import { type PeriodBounds, parsePeriod } from './fhir-period.ts';
import { readActors, readDataReference } from './normalise-actor.ts';
import { isResourceType } from './resource-types.ts';
import {
  ACT_CODE_SYSTEM,
  ACT_REASON_SYSTEM,
  ACTIONS,
  CONFIDENTIALITY,
  CONFIDENTIALITY_CODES,
  CONFIDENTIALITY_SYSTEM,
  CONSENT_ACTION_SYSTEM,
  DATA_MEANINGS,
  isPurpose,
  LABEL_SYSTEM,
  LOINC_SYSTEM,
  RESOURCE_TYPE_SYSTEM,
  SENSITIVITY_CODES,
  SENSITIVITY_LABELS,
} from './terminology.ts';
import {
  type DataTerm,
  type Effect,
  END_OF_TIME_MS,
  encodeProvision,
  type ProvisionTerms,
  START_OF_DATA_MS,
  TERMS_LIMITS,
} from './terms.ts';

const KNOWN = new Set(
  'type period actor action securityLabel purpose class code dataPeriod data provision'.split(' '),
);
const LIMIT = TERMS_LIMITS.listLength;

/** Terms of a provision whose own effect is already known. */
export function normaliseProvision(
  context: NormaliseContext,
  provision: FhirObject,
  path: string,
  effect: Effect,
  depth: number,
): ProvisionTerms {
  context.provisionsLeft -= 1;
  refuseOthers(context, provision, path, KNOWN);
  const period = readPeriod(context, provision.period, `${path}.period`, {
    fromMs: 0,
    untilMs: END_OF_TIME_MS,
  });
  const dataPeriod = readPeriod(context, provision.dataPeriod, `${path}.dataPeriod`, {
    fromMs: START_OF_DATA_MS,
    untilMs: END_OF_TIME_MS,
  });
  return {
    effect,
    periodFromMs: period.fromMs,
    periodUntilMs: period.untilMs,
    dataFromMs: dataPeriod.fromMs,
    dataUntilMs: dataPeriod.untilMs,
    ...readActors(context, provision.actor, `${path}.actor`),
    actions: readActions(context, provision.action, `${path}.action`),
    purposes: readPurposes(context, provision.purpose, `${path}.purpose`),
    ...readClasses(context, provision.class, `${path}.class`),
    codes: readCodes(context, provision.code, `${path}.code`),
    ...readLabels(context, provision.securityLabel, `${path}.securityLabel`, effect),
    data: readData(context, provision.data, `${path}.data`),
    provisions: readNested(context, provision.provision, `${path}.provision`, effect, depth),
  };
}

function readPeriod(
  context: NormaliseContext,
  value: unknown,
  path: string,
  bounds: PeriodBounds,
): PeriodBounds {
  if (value === undefined) return bounds;
  const period = readObject(context, value, path);
  if (period === undefined) return bounds;
  refuseOthers(context, period, path, new Set(['start', 'end']));
  const parsed = parsePeriod(period, bounds);
  if (parsed.ok) return parsed.value;
  report(context, path, 'period', `The period cannot be used: ${parsed.error}.`);
  return bounds;
}

function readNested(
  context: NormaliseContext,
  value: unknown,
  path: string,
  parent: Effect,
  depth: number,
): ProvisionTerms[] {
  const items = readItems(context, value, path, LIMIT);
  if (items.length === 0) return [];
  if (depth + 1 >= TERMS_LIMITS.depth || items.length > context.provisionsLeft) {
    report(
      context,
      path,
      'limit',
      `Provisions may be ${TERMS_LIMITS.depth} deep and ${TERMS_LIMITS.provisions} in all.`,
    );
    return [];
  }
  const nested = items.map((item, index) =>
    readException(context, item, `${path}[${index}]`, parent, depth + 1),
  );
  return sortProvisions(nested.filter((provision) => provision !== undefined));
}

/** An exception to its parent: the other effect, unless it says one. */
function readException(
  context: NormaliseContext,
  value: unknown,
  path: string,
  parent: Effect,
  depth: number,
): ProvisionTerms | undefined {
  const provision = readObject(context, value, path);
  if (provision === undefined) return undefined;
  const type = provision.type ?? (parent === 'permit' ? 'deny' : 'permit');
  if (type === 'permit' || type === 'deny') return normaliseProvision(context, provision, path, type, depth);
  report(context, `${path}.type`, 'unknown-code', 'The type must be permit or deny.');
  return undefined;
}

function sortProvisions(provisions: readonly ProvisionTerms[]): ProvisionTerms[] {
  const keyed = provisions.map((provision) => ({ provision, bytes: encodeProvision(provision) }));
  keyed.sort((left, right) => compareBytes(left.bytes, right.bytes));
  return keyed
    .filter(
      ({ bytes }, index) =>
        index === 0 || !equalBytes(bytes, (keyed[index - 1] as { bytes: Uint8Array }).bytes),
    )
    .map(({ provision }) => provision);
}

function readActions(context: NormaliseContext, value: unknown, path: string): string[] {
  const actions = readItems(context, value, path, LIMIT).flatMap((item, index) => {
    const place = `${path}[${index}]`;
    return knownCodes(context, readConcept(context, item, place), place, ({ system, code }) =>
      system === CONSENT_ACTION_SYSTEM && ACTIONS.includes(code) ? code : undefined,
    );
  });
  return sortedUnique(actions);
}

function knownCodes(
  context: NormaliseContext,
  codes: readonly Code[],
  path: string,
  read: (code: Code) => string | undefined,
): string[] {
  const values = codes.map(read);
  if (values.includes(undefined))
    report(context, path, 'unknown-code', 'This code is not one that consents here can enforce.');
  return values.filter((value) => value !== undefined);
}

function readPurposes(context: NormaliseContext, value: unknown, path: string): string[] {
  const codes = readCodings(context, value, path);
  const purposes = codes.flatMap(([code, place]) =>
    knownCodes(context, [code], place, (purpose) =>
      purpose.system === ACT_REASON_SYSTEM && isPurpose(purpose.code) ? purpose.code : undefined,
    ),
  );
  return sortedUnique(purposes);
}

function readCodings(context: NormaliseContext, value: unknown, path: string): [Code, string][] {
  return readItems(context, value, path, LIMIT).flatMap((item, index): [Code, string][] => {
    const code = readCoding(context, item, `${path}[${index}]`);
    return code === undefined ? [] : [[code, `${path}[${index}]`]];
  });
}

/** `class`: a resource type, or a document by its LOINC code. */
function readClasses(
  context: NormaliseContext,
  value: unknown,
  path: string,
): Pick<ProvisionTerms, 'resourceTypes' | 'documentCodes'> {
  const resourceTypes: string[] = [];
  const documentCodes: string[] = [];
  for (const [{ system, code }, place] of readCodings(context, value, path)) {
    if (system === RESOURCE_TYPE_SYSTEM && isResourceType(code)) resourceTypes.push(code);
    else if (system === LOINC_SYSTEM) documentCodes.push(`${system}|${code}`);
    else
      report(
        context,
        place,
        'unknown-code',
        'A class is an R4 resource type or the LOINC code of a document type.',
      );
  }
  return { resourceTypes: sortedUnique(resourceTypes), documentCodes: sortedUnique(documentCodes) };
}

function readCodes(context: NormaliseContext, value: unknown, path: string): string[] {
  const codes = readItems(context, value, path, LIMIT).flatMap((item, index) =>
    readConcept(context, item, `${path}[${index}]`),
  );
  if (codes.length > LIMIT) report(context, path, 'limit', `There are more than ${LIMIT} codes.`);
  return sortedUnique(codes.map(({ system, code }) => `${system}|${code}`));
}

/** `securityLabel`: confidentiality is a ceiling ("R means R or lower", R4), sensitivity codes name our labels. */
function readLabels(
  context: NormaliseContext,
  value: unknown,
  path: string,
  effect: Effect,
): Pick<ProvisionTerms, 'confidentiality' | 'labels'> {
  let confidentiality: number = CONFIDENTIALITY.none;
  const labels: string[] = [];
  for (const [code, place] of readCodings(context, value, path)) {
    const level = code.system === CONFIDENTIALITY_SYSTEM ? CONFIDENTIALITY_CODES.get(code.code) : undefined;
    if (level !== undefined) confidentiality = Math.max(confidentiality, level);
    else labels.push(...readSensitivity(context, code, place, effect));
  }
  return { confidentiality, labels: sortedUnique(labels) };
}

/** A code narrower than our label may widen what a deny covers, never what a permit covers. */
function readSensitivity(
  context: NormaliseContext,
  { system, code }: Code,
  path: string,
  effect: Effect,
): readonly string[] {
  if (system === LABEL_SYSTEM && SENSITIVITY_LABELS.includes(code)) return [code];
  const known = system === ACT_CODE_SYSTEM ? SENSITIVITY_CODES.get(code) : undefined;
  if (known !== undefined && (known.exact || effect === 'deny')) return known.labels;
  const hint =
    known === undefined
      ? 'Use N, R, V or a sensitivity label.'
      : 'Records are not labelled that finely; name the wider label.';
  report(context, path, 'unknown-code', `This label cannot be enforced. ${hint}`);
  return [];
}

function readData(context: NormaliseContext, value: unknown, path: string): DataTerm[] {
  const terms = readItems(context, value, path, LIMIT).flatMap((item, index): DataTerm[] => {
    const place = `${path}[${index}]`;
    const data = readObject(context, item, place);
    if (data === undefined) return [];
    refuseOthers(context, data, place, new Set(['meaning', 'reference']));
    const reference = readDataReference(context, data.reference, `${place}.reference`);
    const meaning = data.meaning;
    if (typeof meaning === 'string' && DATA_MEANINGS.includes(meaning))
      return reference === undefined ? [] : [{ meaning, reference }];
    report(
      context,
      `${place}.meaning`,
      'unknown-code',
      'The meaning must be instance, related, dependents or authoredby.',
    );
    return [];
  });
  const byKey = new Map(terms.map((term) => [`${term.meaning}|${term.reference}`, term]));
  return sortedUnique([...byKey.keys()]).map((key) => byKey.get(key) as DataTerm);
}
