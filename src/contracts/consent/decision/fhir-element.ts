/** Reading a FHIR JSON element strictly: what is not understood is reported with its place, never skipped. */
export interface ConsentTermsError {
  /** FHIRPath-like place, for example `Consent.provision.provision[0].actor[1].role`. */
  readonly path: string;
  readonly code: ConsentTermsErrorCode;
  readonly message: string;
}

export type ConsentTermsErrorCode =
  | 'malformed'
  | 'missing'
  | 'unsupported'
  | 'unknown-code'
  | 'not-active'
  | 'wrong-scope'
  | 'contradiction'
  | 'unresolved-reference'
  | 'patient-mismatch'
  | 'period'
  | 'limit';

export type FhirObject = Readonly<Record<string, unknown>>;

/** Where problems go, and what is needed to resolve a reference. */
export interface NormaliseContext {
  readonly errors: ConsentTermsError[];
  /** Account id (hexadecimal) of what a literal reference such as `Practitioner/1` points to. */
  readonly resolveActor: (reference: string) => string | undefined;
  provisionsLeft: number;
}

export interface Code {
  readonly system: string;
  readonly code: string;
}

/** Records a problem. The message never repeats what the consent says, for it may be personal. */
export function report(
  context: NormaliseContext,
  path: string,
  code: ConsentTermsErrorCode,
  message: string,
): void {
  if (context.errors.length < 50) context.errors.push({ path, code, message });
}

/** The element as an object, or a reported problem. */
export function readObject(context: NormaliseContext, value: unknown, path: string): FhirObject | undefined {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as FhirObject;
  report(context, path, 'malformed', 'This must be an object.');
  return undefined;
}

/** Items of a repeating element. An empty list is refused: dropped, it would turn a criterion into none. */
export function readItems(
  context: NormaliseContext,
  value: unknown,
  path: string,
  limit: number,
): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length === 0) {
    report(context, path, 'malformed', 'This must be a list with at least one item.');
    return [];
  }
  if (value.length <= limit) return value;
  report(context, path, 'limit', `This list has more than ${limit} items.`);
  return [];
}

/** Refuses elements that are not understood: modifier extensions, `_` extensions of primitives, unknown names. */
export function refuseOthers(
  context: NormaliseContext,
  element: FhirObject,
  path: string,
  known: ReadonlySet<string>,
): void {
  for (const name of Object.keys(element).sort()) {
    if (known.has(name) || name === 'id' || name === 'extension') continue;
    const what =
      name === 'modifierExtension' || name === 'implicitRules'
        ? 'It changes the meaning in a way'
        : 'It is an element';
    report(
      context,
      `${path}.${printable(name)}`,
      'unsupported',
      `${what} that consents here do not support. Remove it.`,
    );
  }
}

const printable = (name: string): string => (/^[A-Za-z_]{1,40}$/.test(name) ? name : '(unknown)');

const CODING = new Set(['system', 'version', 'code', 'display', 'userSelected']);
const CODEABLE_CONCEPT = new Set(['coding', 'text']);
const SYSTEM = /^[\x21-\x7b\x7d\x7e]{1,400}$/;
const CODE = /^[\x21-\x7b\x7d\x7e]+( [\x21-\x7b\x7d\x7e]+)*$/;

/** A Coding with both system and code; anything less could match by accident. */
export function readCoding(context: NormaliseContext, value: unknown, path: string): Code | undefined {
  const coding = readObject(context, value, path);
  if (coding === undefined) return undefined;
  refuseOthers(context, coding, path, CODING);
  const { system, code } = coding;
  if (
    typeof system === 'string' &&
    typeof code === 'string' &&
    SYSTEM.test(system) &&
    CODE.test(code) &&
    code.length <= 100
  ) {
    return { system, code };
  }
  report(context, path, 'malformed', 'A coding needs a system and a code.');
  return undefined;
}

/** The codings of a CodeableConcept: synonyms of one concept. Text alone cannot be computed with. */
export function readConcept(context: NormaliseContext, value: unknown, path: string): readonly Code[] {
  const concept = readObject(context, value, path);
  if (concept === undefined) return [];
  refuseOthers(context, concept, path, CODEABLE_CONCEPT);
  if (concept.coding === undefined)
    report(context, path, 'missing', 'A concept needs a coding; text cannot be enforced.');
  return readItems(context, concept.coding, `${path}.coding`, 16)
    .map((item, index) => readCoding(context, item, `${path}.coding[${index}]`))
    .filter((code) => code !== undefined);
}

/** Sorted, without duplicates, by code unit: the same on every machine. */
export function sortedUnique(values: readonly string[]): string[] {
  return [...new Set(values)].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}
