import { type StateReader, type StateWrite, type StateWriter, stateKey } from '../../ledger/index.ts';
import { CanonicalReader, CanonicalWriter, compareBytes, equalBytes, toHex } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';

const BYTES = 32;
/** As many as a genesis may have. */
export const MAX_VALIDATORS = 200;
export const MAX_POWER = 1_000_000;
const VALIDATORS_KEY = stateKey(CONTRACT.governance, 'validators', new Uint8Array());

/** A key that votes on blocks, whose it is, and what its vote weighs. */
export type Validator = {
  readonly consensusKey: Uint8Array;
  /** The account id of its organisation. */
  readonly organisation: Uint8Array;
  /** In a change, 0 takes the validator away. */
  readonly power: number;
};

/** What the consensus engine has to change; power 0 takes a validator away. */
export type ValidatorUpdate = { readonly consensusKey: Uint8Array; readonly power: number };

/** The validators by ascending key; none where an operator decides blocks. */
export function readValidators(state: StateReader): readonly Validator[] {
  return decodeRow(state.get(VALIDATORS_KEY));
}

export function writeValidators(state: StateWriter, validators: readonly Validator[]): void {
  const sorted = [...validators].sort((left, right) => compareBytes(left.consensusKey, right.consensusKey));
  const writer = new CanonicalWriter().u16(sorted.length);
  for (const one of sorted) writeValidator(writer, one);
  state.set(VALIDATORS_KEY, writer.finish());
}

export function writeValidator(
  writer: CanonicalWriter,
  { consensusKey, organisation, power }: Validator,
): CanonicalWriter {
  return writer.fixed(consensusKey, BYTES).fixed(organisation, BYTES).u64(power);
}

export function readValidator(reader: CanonicalReader): Validator {
  return { consensusKey: reader.fixed(BYTES), organisation: reader.fixed(BYTES), power: reader.u64() };
}

/** How a block changed the validators: what its writes leave against what was before, by ascending key. */
export function validatorUpdatesOf(before: StateReader, writes: readonly StateWrite[]): ValidatorUpdate[] {
  const write = writes.find(([key]) => equalBytes(key, VALIDATORS_KEY));
  if (write === undefined) return [];
  const [old, next] = [powersOf(readValidators(before)), powersOf(decodeRow(write[1]))];
  const removed = [...old.values()].filter(({ consensusKey }) => !next.has(toHex(consensusKey)));
  const changed = [...next].filter(([key, { power }]) => old.get(key)?.power !== power);
  return [...removed.map((one) => ({ ...one, power: 0 })), ...changed.map(([, one]) => one)]
    .map(({ consensusKey, power }) => ({ consensusKey, power }))
    .sort((left, right) => compareBytes(left.consensusKey, right.consensusKey));
}

function powersOf(validators: readonly Validator[]): Map<string, Validator> {
  return new Map(validators.map((one) => [toHex(one.consensusKey), one]));
}

function decodeRow(value: Uint8Array | undefined): readonly Validator[] {
  if (value === undefined) return [];
  const reader = new CanonicalReader(value);
  const validators = Array.from({ length: reader.u16() }, () => readValidator(reader));
  reader.end();
  return validators;
}
