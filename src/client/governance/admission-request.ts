import { provePossession, type Role } from '../../contracts/index.ts';
import { publicKeyOf } from '../../identity/index.ts';
import { AppError, parseJson, toHex, utf8 } from '../../shared/index.ts';
import { bytesOf, type ChangeJson, rolesOf } from './change-json.ts';

const FORMAT = 'careledger-admission/v1';
const MAX_CHARACTERS = 16 * 1024;

/** An organisation that is no member yet asks one that is to propose it. No private key is in it. */
export type AdmissionRequest = {
  readonly format: typeof FORMAT;
  readonly chainId: string;
  /** The member to which the proof is made: no other can propose by it. */
  readonly proposer: string;
  readonly change: ChangeJson & { readonly kind: 'admit-organisation' };
};

/** Signs a request with the key that the organisation is to have on the ledger. */
export function signAdmissionRequest(
  seed: Uint8Array,
  { chainId, proposer, roles }: { chainId: Uint8Array; proposer: Uint8Array; roles: readonly Role[] },
): AdmissionRequest {
  const publicKey = publicKeyOf(seed);
  const possessionProof = toHex(provePossession(chainId, proposer, publicKey, seed));
  return {
    format: FORMAT,
    chainId: toHex(chainId),
    proposer: toHex(proposer),
    change: { kind: 'admit-organisation', publicKey: toHex(publicKey), possessionProof, roles },
  };
}

export function decodeAdmissionRequest(text: string): AdmissionRequest {
  const value =
    text.length <= MAX_CHARACTERS ? (parseJson(utf8(text)) as Partial<AdmissionRequest>) : undefined;
  const change = value?.change;
  if (value?.format !== FORMAT || typeof change !== 'object' || change === null)
    throw new AppError(
      'invalid-request',
      'This is not a request for admission. The organisation makes one with `careledger govern apply`.',
    );
  return {
    format: FORMAT,
    chainId: toHex(bytesOf(value.chainId, 32)),
    proposer: toHex(bytesOf(value.proposer, 32)),
    change: {
      kind: 'admit-organisation',
      publicKey: toHex(bytesOf(change.publicKey, 32)),
      possessionProof: toHex(bytesOf(change.possessionProof, 64)),
      roles: rolesOf(change.roles),
    },
  };
}
