import { type PublicKey, parsePublicKey } from '../identity/index.ts';
import {
  CanonicalReader,
  CanonicalWriter,
  DecodeError,
  err,
  ok,
  type Result,
  sha256,
  toHex,
} from '../shared/index.ts';

const DOMAIN = 'careledger/genesis/v1';
const MAX_NAME_CHARACTERS = 50;
const MAX_ORGANISATIONS = 1000;
const KEY_BYTES = 32;
const MAX_VALIDATORS = 200;
const MAX_POWER = 1_000_000;
/** From four on the fault of one can be tolerated, so from four on none may be able to stop the others. */
const FEWEST_TO_TOLERATE_ONE = 4;

/** A key that votes on blocks from the first one on. */
export type GenesisValidator = {
  /** Ed25519; CometBFT's own key of that machine. */
  readonly consensusKey: PublicKey;
  /** The place of its organisation among `organisationKeys`. */
  readonly organisation: number;
  /** Its weight among all votes: 1 to 1,000,000. */
  readonly power: number;
};

/** What a chain begins with. Its hash is the chain's id, so no chain can claim another's beginning. */
export type Genesis = {
  readonly networkName: string;
  readonly timeMs: number;
  /** Who signs checkpoints on the embedded engine. */
  readonly operatorKey: PublicKey;
  /** The signing keys of the founding organisations. */
  readonly organisationKeys: readonly PublicKey[];
  /** Who decides blocks. None: one operator does, and signs the heads. */
  readonly validators: readonly GenesisValidator[];
};

export function encodeGenesis(genesis: Genesis): Uint8Array {
  const writer = new CanonicalWriter()
    .ascii(DOMAIN, DOMAIN.length)
    .ascii(genesis.networkName, MAX_NAME_CHARACTERS)
    .u64(genesis.timeMs)
    .fixed(genesis.operatorKey, KEY_BYTES)
    .u16(genesis.organisationKeys.length);
  for (const key of genesis.organisationKeys) writer.fixed(key, KEY_BYTES);
  writer.u16(genesis.validators.length);
  for (const { consensusKey, organisation, power } of genesis.validators)
    writer.fixed(consensusKey, KEY_BYTES).u16(organisation).u64(power);
  return writer.finish();
}

export function decodeGenesis(bytes: Uint8Array): Result<Genesis, DecodeError> {
  try {
    return ok(readGenesis(new CanonicalReader(bytes)));
  } catch (error) {
    if (error instanceof DecodeError) return err(error);
    throw error;
  }
}

export function chainIdOf(genesis: Genesis): Uint8Array {
  return sha256(encodeGenesis(genesis));
}

function readGenesis(reader: CanonicalReader): Genesis {
  if (reader.ascii(DOMAIN.length) !== DOMAIN) throw new DecodeError('invalid-value', 'this is not a genesis');
  const head = {
    networkName: reader.ascii(MAX_NAME_CHARACTERS),
    timeMs: reader.u64(),
    operatorKey: readKey(reader),
  };
  const count = reader.u16();
  if (count === 0 || count > MAX_ORGANISATIONS)
    throw new DecodeError('invalid-value', `a genesis has 1 to ${MAX_ORGANISATIONS} organisations`);
  const organisationKeys = Array.from({ length: count }, () => readKey(reader));
  if (new Set(organisationKeys.map(toHex)).size < count)
    throw new DecodeError('invalid-value', 'two organisations of the genesis have one key');
  const validators = readValidators(reader, count);
  reader.end();
  return { ...head, organisationKeys, validators };
}

function readValidators(reader: CanonicalReader, organisations: number): GenesisValidator[] {
  const count = reader.u16();
  if (count > MAX_VALIDATORS)
    throw new DecodeError('invalid-value', `a genesis has at most ${MAX_VALIDATORS} validators`);
  const validators = Array.from({ length: count }, () => readValidator(reader, organisations));
  if (new Set(validators.map(({ consensusKey }) => toHex(consensusKey))).size < count)
    throw new DecodeError('invalid-value', 'two validators of the genesis have one key');
  if (stoppableByOne(validators))
    throw new DecodeError('invalid-value', 'an organisation of the genesis has a third of the power or more');
  return validators;
}

function readValidator(reader: CanonicalReader, organisations: number): GenesisValidator {
  const consensusKey = readKey(reader);
  const [organisation, power] = [reader.u16(), reader.u64()];
  if (organisation >= organisations || power === 0 || power > MAX_POWER)
    throw new DecodeError(
      'invalid-value',
      'a validator of the genesis has no organisation, or a power out of range',
    );
  return { consensusKey, organisation, power };
}

/** Whether one of four organisations or more could stop all by itself: it has a third of the power or more. */
export function stoppableByOne(
  validators: readonly { readonly organisation: number | string; readonly power: number }[],
): boolean {
  const powers = new Map<number | string, number>();
  for (const { organisation, power } of validators)
    powers.set(organisation, (powers.get(organisation) ?? 0) + power);
  const total = [...powers.values()].reduce((sum, power) => sum + power, 0);
  return powers.size >= FEWEST_TO_TOLERATE_ONE && [...powers.values()].some((power) => 3 * power >= total);
}

function readKey(reader: CanonicalReader): PublicKey {
  const key = parsePublicKey(reader.fixed(KEY_BYTES));
  if (!key.ok)
    throw new DecodeError('invalid-value', 'a key of the genesis is not an Ed25519 key of prime order');
  return key.value;
}
