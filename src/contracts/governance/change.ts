import {
  type CanonicalReader,
  CanonicalWriter,
  compareBytes,
  DecodeError,
  equalBytes,
} from '../../shared/index.ts';
import { type Registration, readRegistration, writeRegistration } from '../registry/registration.ts';
import { MAX_POWER, MAX_VALIDATORS, readValidator, type Validator, writeValidator } from './validators.ts';

const KINDS = {
  'admit-organisation': 1,
  'remove-organisation': 2,
  'set-validators': 3,
  'activate-version': 4,
} as const;
export type ChangeKind = keyof typeof KINDS;

/** What the members decide about. Nothing in it is about a person. */
export type Change =
  /** The new organisation proves to the one that proposes it that it holds its key. */
  | { readonly kind: 'admit-organisation'; readonly registration: Registration }
  | { readonly kind: 'remove-organisation'; readonly organisation: Uint8Array }
  /** By ascending key, each once; power 0 takes a validator away. */
  | { readonly kind: 'set-validators'; readonly validators: readonly Validator[] }
  | { readonly kind: 'activate-version'; readonly version: number; readonly height: number };

export function writeChange(writer: CanonicalWriter, change: Change): CanonicalWriter {
  writer.u8(KINDS[change.kind]);
  switch (change.kind) {
    case 'admit-organisation':
      return writeRegistration(writer, change.registration);
    case 'remove-organisation':
      return writer.fixed(change.organisation, 32);
    case 'activate-version':
      return writer.u32(change.version).u64(change.height);
    case 'set-validators':
      writer.u16(change.validators.length);
      for (const validator of change.validators) writeValidator(writer, validator);
      return writer;
  }
}

export function encodeChange(change: Change): Uint8Array {
  return writeChange(new CanonicalWriter(), change).finish();
}

/** Whether two changes say the same. Admissions do when they are of the same key, for each has the proof that was made for its proposer. */
export function isSameChange(left: Change, right: Change): boolean {
  return left.kind === 'admit-organisation' && right.kind === 'admit-organisation'
    ? equalBytes(left.registration.publicKey, right.registration.publicKey)
    : equalBytes(encodeChange(left), encodeChange(right));
}

export function readChange(reader: CanonicalReader): Change {
  const code = reader.u8();
  switch (code) {
    case KINDS['admit-organisation']:
      return { kind: 'admit-organisation', registration: readRegistration(reader) };
    case KINDS['remove-organisation']:
      return { kind: 'remove-organisation', organisation: reader.fixed(32) };
    case KINDS['set-validators']:
      return { kind: 'set-validators', validators: readValidators(reader) };
    case KINDS['activate-version']:
      return { kind: 'activate-version', version: reader.u32(), height: reader.u64() };
    default:
      throw new DecodeError('invalid-value', 'the kind of change is not known');
  }
}

function readValidators(reader: CanonicalReader): Validator[] {
  const count = reader.u16();
  if (count === 0 || count > MAX_VALIDATORS)
    throw new DecodeError('invalid-value', `a change is about 1 to ${MAX_VALIDATORS} validators`);
  const validators = Array.from({ length: count }, () => readValidator(reader));
  const isCanonical = validators.every(
    ({ consensusKey, power }, index) =>
      power <= MAX_POWER &&
      (index === 0 || compareBytes((validators[index - 1] as Validator).consensusKey, consensusKey) < 0),
  );
  if (!isCanonical)
    throw new DecodeError(
      'invalid-value',
      'validators stand by ascending key, each once, with a power in range',
    );
  return validators;
}
