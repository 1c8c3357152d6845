import { type PublicKey, parsePublicKey } from '../identity/index.ts';
import {
  CanonicalReader,
  CanonicalWriter,
  DecodeError,
  err,
  ok,
  type Result,
  sha256,
} from '../shared/index.ts';

const DOMAIN = 'careledger/genesis/v1';
const MAX_NAME_CHARACTERS = 50;
const MAX_ORGANISATIONS = 1000;
const KEY_BYTES = 32;

/** What a chain begins with. Its hash is the chain's id, so no chain can claim another's beginning. */
export type Genesis = {
  readonly networkName: string;
  readonly timeMs: number;
  /** Who signs checkpoints on the embedded engine. */
  readonly operatorKey: PublicKey;
  /** The signing keys of the founding organisations. */
  readonly organisationKeys: readonly PublicKey[];
};

export function encodeGenesis(genesis: Genesis): Uint8Array {
  const writer = new CanonicalWriter()
    .ascii(DOMAIN, DOMAIN.length)
    .ascii(genesis.networkName, MAX_NAME_CHARACTERS)
    .u64(genesis.timeMs)
    .fixed(genesis.operatorKey, KEY_BYTES)
    .u16(genesis.organisationKeys.length);
  for (const key of genesis.organisationKeys) writer.fixed(key, KEY_BYTES);
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
  reader.end();
  return { ...head, organisationKeys };
}

function readKey(reader: CanonicalReader): PublicKey {
  const key = parsePublicKey(reader.fixed(KEY_BYTES));
  if (!key.ok)
    throw new DecodeError('invalid-value', 'a key of the genesis is not an Ed25519 key of prime order');
  return key.value;
}
