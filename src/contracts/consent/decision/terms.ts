/**
 * Consent terms: what a FHIR Consent says, as integers and sorted codes, with one byte string per value. The ledger holds
 * only a salted commitment to these bytes, so two encodings of one meaning would let a custodian swap what was signed.
 */
import {
  CanonicalReader,
  CanonicalWriter,
  compareBytes,
  concatBytes,
  DecodeError,
  type DecodeErrorCode,
  err,
  ok,
  type Result,
  sha256,
  utf8,
} from '../../../shared/index.ts';
import { isResourceType } from './resource-types.ts';
import {
  ACTIONS,
  CONFIDENTIALITY_CODES,
  DATA_MEANINGS,
  isPurpose,
  SENSITIVITY_LABELS,
  TERMINOLOGY_VERSION,
} from './terminology.ts';

export type Effect = 'permit' | 'deny';

/** Who a provision is about: an account (a person, a device, or every party of an organisation), perhaps only in a role. */
export interface ActorTerm {
  /** Account id in hexadecimal. */
  readonly account: string;
  /** Registry role the requester must hold as well; empty for any. */
  readonly role: string;
}

/** `Consent.provision.data`: a meaning and a reference such as `Observation/1` or `urn:careledger:account:<hex>`. */
export interface DataTerm {
  readonly meaning: string;
  readonly reference: string;
}

/** One provision. Criteria are all required; the values of one criterion are alternatives; an empty one is no criterion. */
export interface ProvisionTerms {
  readonly effect: Effect;
  /** When the decision is taken: from ≤ t < until. */
  readonly periodFromMs: number;
  readonly periodUntilMs: number;
  /** When the data are from. */
  readonly dataFromMs: number;
  readonly dataUntilMs: number;
  readonly actors: readonly ActorTerm[];
  /** Authors of the data (participation AUT): `Practitioner/1` or `urn:careledger:account:<hex>`. */
  readonly authors: readonly string[];
  readonly actions: readonly string[];
  readonly purposes: readonly string[];
  readonly resourceTypes: readonly string[];
  /** Document codes of `provision.class`, `system|code`. */
  readonly documentCodes: readonly string[];
  readonly codes: readonly string[];
  /** High-water mark of the confidentiality; 0 for no criterion. */
  readonly confidentiality: number;
  readonly labels: readonly string[];
  readonly data: readonly DataTerm[];
  /** Exceptions to this provision. */
  readonly provisions: readonly ProvisionTerms[];
}

export interface ConsentTerms {
  readonly terminologyVersion: number;
  /** Valid when validFromMs ≤ t < validUntilMs. */
  readonly validFromMs: number;
  readonly validUntilMs: number;
  readonly root: ProvisionTerms;
}

/** No end: the first instant after every time that FHIR can write (year 9999). */
export const END_OF_TIME_MS = 253_402_300_800_000;
/** No start of data: the first instant FHIR can write (year 1). Times of data are encoded as an offset from it. */
export const START_OF_DATA_MS = -62_135_596_800_000;

export const TERMS_LIMITS = {
  depth: 8,
  provisions: 256,
  listLength: 256,
  codeLength: 512,
  encodedBytes: 65_536,
} as const;

const FORMAT_VERSION = 1;
const COMMITMENT_DOMAIN = utf8('careledger/consent-terms/v1\0');

/** Canonical bytes of terms. Throws on terms that `decodeConsentTerms` would refuse, so a bad value never gets signed. */
export function encodeConsentTerms(terms: ConsentTerms): Uint8Array {
  const writer = new CanonicalWriter();
  writer.u8(FORMAT_VERSION);
  writer.u16(terms.terminologyVersion);
  writer.u64(terms.validFromMs);
  writer.u64(terms.validUntilMs);
  writeProvision(writer, terms.root);
  const bytes = writer.finish();
  const back = decodeConsentTerms(bytes);
  if (!back.ok) throw new DecodeError(back.error.code, back.error.message);
  return bytes;
}

/** Why bytes are not canonical terms. */
export interface TermsDecodeError {
  readonly code: DecodeErrorCode;
  readonly message: string;
}

/** Total and strict: any byte string that is not the one encoding of some terms is refused. */
export function decodeConsentTerms(bytes: Uint8Array): Result<ConsentTerms, TermsDecodeError> {
  if (bytes.length > TERMS_LIMITS.encodedBytes)
    return err({ code: 'too-long', message: 'Consent terms are too long.' });
  try {
    return ok(readTerms(new CanonicalReader(bytes)));
  } catch (error) {
    if (error instanceof DecodeError) return err({ code: error.code, message: error.message });
    throw error;
  }
}

/** The ledger's commitment: sha256(domain ‖ salt32 ‖ canonical terms). */
export function termsCommitment(salt: Uint8Array, terms: ConsentTerms): Uint8Array {
  if (salt.length !== 32) throw new RangeError('The salt of a consent commitment must be 32 bytes.');
  return sha256(concatBytes(COMMITMENT_DOMAIN, salt, encodeConsentTerms(terms)));
}

function readTerms(reader: CanonicalReader): ConsentTerms {
  check(reader.u8() === FORMAT_VERSION, 'unknown format version');
  const terminologyVersion = reader.u16();
  check(terminologyVersion === TERMINOLOGY_VERSION, 'unknown terminology version');
  const validFromMs = reader.u64();
  const validUntilMs = reader.u64();
  check(
    validFromMs < validUntilMs && validUntilMs <= END_OF_TIME_MS,
    'the end is not after the start, or too late',
  );
  const budget = { provisions: TERMS_LIMITS.provisions };
  const root = readProvision(reader, 0, budget);
  check(root.periodFromMs === 0 && root.periodUntilMs === END_OF_TIME_MS, 'root has a second period');
  reader.end();
  return { terminologyVersion, validFromMs, validUntilMs, root };
}

/** The canonical bytes of one provision; also the order among siblings. */
export function encodeProvision(provision: ProvisionTerms): Uint8Array {
  const writer = new CanonicalWriter();
  writeProvision(writer, provision);
  return writer.finish();
}

function writeProvision(writer: CanonicalWriter, provision: ProvisionTerms): void {
  writer.u8(provision.effect === 'permit' ? 1 : 0);
  writer.u64(provision.periodFromMs);
  writer.u64(provision.periodUntilMs);
  writer.u64(provision.dataFromMs - START_OF_DATA_MS);
  writer.u64(provision.dataUntilMs - START_OF_DATA_MS);
  writeList(writer, provision.actors.map(actorKey));
  writeList(writer, provision.authors);
  writeList(writer, provision.actions);
  writeList(writer, provision.purposes);
  writeList(writer, provision.resourceTypes);
  writeList(writer, provision.documentCodes);
  writeList(writer, provision.codes);
  writer.u8(provision.confidentiality);
  writeList(writer, provision.labels);
  writeList(writer, provision.data.map(dataKey));
  writer.u16(provision.provisions.length);
  for (const nested of provision.provisions) writer.bytes(encodeProvision(nested), TERMS_LIMITS.encodedBytes);
}

function writeList(writer: CanonicalWriter, values: readonly string[]): void {
  writer.u16(values.length);
  for (const value of values) writer.ascii(value, TERMS_LIMITS.codeLength);
}

const actorKey = (actor: ActorTerm): string => `${actor.account}|${actor.role}`;
const dataKey = (data: DataTerm): string => `${data.meaning}|${data.reference}`;

function readProvision(
  reader: CanonicalReader,
  depth: number,
  budget: { provisions: number },
): ProvisionTerms {
  budget.provisions -= 1;
  check(depth < TERMS_LIMITS.depth, 'provisions are nested too deep');
  check(budget.provisions >= 0, 'too many provisions');
  const effectByte = reader.u8();
  check(effectByte <= 1, 'unknown effect');
  const [periodFromMs, periodUntilMs] = readInterval(reader, 0);
  const [dataFromMs, dataUntilMs] = readInterval(reader, START_OF_DATA_MS);
  return {
    effect: effectByte === 1 ? 'permit' : 'deny',
    periodFromMs,
    periodUntilMs,
    dataFromMs,
    dataUntilMs,
    actors: readList(reader, ACTOR).map((text) => ({ account: text.slice(0, 64), role: text.slice(65) })),
    authors: readList(reader, REFERENCE),
    actions: readList(reader, (text) => ACTIONS.includes(text)),
    purposes: readList(reader, isPurpose),
    resourceTypes: readList(reader, isResourceType),
    documentCodes: readList(reader, SYSTEM_CODE),
    codes: readList(reader, SYSTEM_CODE),
    confidentiality: readConfidentiality(reader),
    labels: readList(reader, (text) => SENSITIVITY_LABELS.includes(text)),
    data: readList(reader, DATA).map(dataOf),
    provisions: readNested(reader, depth, budget),
  };
}

function readInterval(reader: CanonicalReader, originMs: number): [number, number] {
  const from = reader.u64() + originMs;
  const until = reader.u64() + originMs;
  check(from < until && until <= END_OF_TIME_MS, 'the end is not after the start, or too late');
  return [from, until];
}

function readConfidentiality(reader: CanonicalReader): number {
  const level = reader.u8();
  check(level === 0 || [...CONFIDENTIALITY_CODES.values()].includes(level), 'unknown confidentiality');
  return level;
}

function readNested(
  reader: CanonicalReader,
  depth: number,
  budget: { provisions: number },
): ProvisionTerms[] {
  const count = reader.u16();
  check(count <= TERMS_LIMITS.provisions, 'too many provisions');
  const nested: ProvisionTerms[] = [];
  let previous: Uint8Array | undefined;
  for (let index = 0; index < count; index += 1) {
    const bytes = reader.bytes(TERMS_LIMITS.encodedBytes);
    check(previous === undefined || compareBytes(previous, bytes) < 0, 'provisions are not sorted');
    const inner = new CanonicalReader(bytes);
    nested.push(readProvision(inner, depth + 1, budget));
    inner.end();
    previous = bytes;
  }
  return nested;
}

type Shape = RegExp | ((text: string) => boolean);

const REFERENCE = /^([A-Za-z]{1,64}\/[A-Za-z0-9.-]{1,64}|urn:careledger:account:[0-9a-f]{64})$/;
const ACTOR = /^[0-9a-f]{64}\|[a-z0-9-]{0,64}$/;
const SYSTEM_CODE = /^[\x21-\x7b\x7d\x7e]+\|[\x20-\x7b\x7d\x7e]+$/;
const DATA =
  /^(instance|related|dependents|authoredby)\|([A-Za-z]{1,64}\/[A-Za-z0-9.-]{1,64}|urn:careledger:account:[0-9a-f]{64})$/;

function readList(reader: CanonicalReader, shape: Shape): string[] {
  const count = reader.u16();
  check(count <= TERMS_LIMITS.listLength, 'a list is too long');
  const values: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const value = reader.ascii(TERMS_LIMITS.codeLength);
    check(index === 0 || (values[index - 1] as string) < value, 'a list is not sorted');
    check(shape instanceof RegExp ? shape.test(value) : shape(value), 'a code is not allowed here');
    values.push(value);
  }
  return values;
}

function dataOf(text: string): DataTerm {
  const bar = text.indexOf('|');
  const meaning = text.slice(0, bar);
  check(DATA_MEANINGS.includes(meaning), 'unknown data meaning');
  return { meaning, reference: text.slice(bar + 1) };
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new DecodeError('invalid-value', `Consent terms are not canonical: ${message}.`);
}
