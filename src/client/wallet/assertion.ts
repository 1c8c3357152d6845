import { importJWK, SignJWT } from 'jose';
import { publicKeyOf } from '../../identity/index.ts';
import { toBase64Url, toHex } from '../../shared/index.ts';

const LIFETIME_SECONDS = 120;
const ID_BYTES = 16;

/** Who asks for a session, and as what; each claim counts only as far as the registry bears it out. */
export type AssertionClaims = {
  readonly accountId: Uint8Array;
  /** Exactly the node's token endpoint. */
  readonly audience: string;
  readonly nowMs: number;
  readonly organisation?: string;
  readonly roles?: readonly string[];
  readonly purpose?: string;
};

/** A signed, single-use statement of who calls (RFC 7523), with the claims of IHE IUA. Exchange it at /auth/token. */
export async function createAssertion(seed: Uint8Array, claims: AssertionClaims): Promise<string> {
  const account = toHex(claims.accountId);
  const issuedAt = Math.floor(claims.nowMs / 1000);
  const key = await importJWK(
    { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(publicKeyOf(seed)), d: toBase64Url(seed) },
    'EdDSA',
  );
  return new SignJWT({ extensions: { ihe_iua: iuaClaims(claims) } })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
    .setIssuer(account)
    .setSubject(account)
    .setAudience(claims.audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + LIFETIME_SECONDS)
    .setJti(toBase64Url(globalThis.crypto.getRandomValues(new Uint8Array(ID_BYTES))))
    .sign(key);
}

function iuaClaims({ organisation, roles, purpose }: AssertionClaims): Record<string, unknown> {
  return {
    ...(organisation === undefined ? {} : { subject_organization_id: organisation }),
    ...(roles === undefined ? {} : { subject_role: roles }),
    ...(purpose === undefined ? {} : { purpose_of_use: purpose }),
  };
}
