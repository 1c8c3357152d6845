import { accountIdOf, parsePublicKey, signMessage, verifySignature } from '../../identity/index.ts';
import type { ActionContext, ResultCode, StateReader, StateWriter } from '../../ledger/index.ts';
import { RESULT_CODES } from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter, concatBytes, utf8 } from '../../shared/index.ts';
import {
  createParty,
  isActiveOrganisation,
  type PartyKind,
  readParty,
  readRoles,
  writeRoles,
} from './party.ts';
import type { Role } from './role.ts';

const POSSESSION_DOMAIN = utf8('careledger/enrol/v1\0');
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** A new party's key, its roles, and the proof that whoever asked for it holds the key. */
export type Registration = {
  readonly publicKey: Uint8Array;
  readonly possessionProof: Uint8Array;
  readonly roles: readonly Role[];
};

/** What the new key signs: this chain, the organisation that registers it, and itself. */
export function possessionMessage(
  chainId: Uint8Array,
  registrar: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array {
  return concatBytes(POSSESSION_DOMAIN, chainId, registrar, publicKey);
}

export function provePossession(
  chainId: Uint8Array,
  registrar: Uint8Array,
  publicKey: Uint8Array,
  seed: Uint8Array,
): Uint8Array {
  return signMessage(seed, possessionMessage(chainId, registrar, publicKey));
}

export function encodeRegistration(registration: Registration): Uint8Array {
  return writeRegistration(new CanonicalWriter(), registration).finish();
}

export function writeRegistration(
  writer: CanonicalWriter,
  { publicKey, possessionProof, roles }: Registration,
): CanonicalWriter {
  return writeRoles(writer.fixed(publicKey, KEY_BYTES).fixed(possessionProof, SIGNATURE_BYTES), roles);
}

export function readRegistration(reader: CanonicalReader): Registration {
  return {
    publicKey: reader.fixed(KEY_BYTES),
    possessionProof: reader.fixed(SIGNATURE_BYTES),
    roles: readRoles(reader),
  };
}

/** Whether the signer, an active organisation, may register this key. */
export function checkRegistration(
  state: StateReader,
  context: ActionContext,
  registration: Registration,
): ResultCode {
  if (!isActiveOrganisation(state, context.signer)) return RESULT_CODES['not-an-organisation'];
  const key = parsePublicKey(registration.publicKey);
  if (!key.ok) return RESULT_CODES['bad-key'];
  const message = possessionMessage(context.chainId, context.signer, key.value);
  if (!verifySignature(key.value, message, registration.possessionProof))
    return RESULT_CODES['bad-possession-proof'];
  return readParty(state, accountIdOf(key.value)) === undefined
    ? RESULT_CODES.ok
    : RESULT_CODES['party-exists'];
}

/** Organisations belong to themselves; everyone else to the organisation that registered them. */
export function applyRegistration(
  state: StateWriter,
  context: ActionContext,
  registration: Registration,
  kind: PartyKind,
): void {
  const accountId = accountIdOf(registration.publicKey);
  const organisation = kind === 'organisation' ? accountId : context.signer;
  createParty(state, accountId, registration.publicKey, {
    kind,
    organisation,
    roles: registration.roles,
    registeredHeight: context.height,
  });
}
