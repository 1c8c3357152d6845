import { decodeJwt, type JWTPayload, jwtVerify } from 'jose';
import { AppError } from '../../shared/index.ts';
import type { RegisteredParty } from './registry-view.ts';

const MAX_ASSERTION_CHARS = 8192;
const MAX_LIFETIME_S = 300;
const CLOCK_SKEW_S = 30;
const ACCOUNT_ID = /^[0-9a-f]{64}$/;
const JTI = /^[A-Za-z0-9._~-]{8,128}$/;

/** What a caller proved: which account it is, until when the proof counts, and what it claims beyond that. */
export interface ProvenAssertion {
  party: RegisteredParty;
  assertionId: string;
  expiresAtMs: number;
  claims: JWTPayload;
}

/**
 * Verifies a client assertion (RFC 7523): EdDSA only, issuer and subject the account itself, the audience exactly ours,
 * at most five minutes long, signed with the key that the registry holds for the account now.
 */
export async function verifyAssertion(
  jwt: string,
  options: { audience: string; nowMs: number; lookUp: (accountId: string) => RegisteredParty | undefined },
): Promise<ProvenAssertion> {
  if (jwt.length > MAX_ASSERTION_CHARS) throw refused('The assertion is too long.');
  const party = options.lookUp(claimedAccount(jwt));
  // One message for unknown and suspended: who may not enter learns nothing about who is registered.
  if (party?.status !== 'active') throw refused('The account is not registered here or is suspended.');
  const claims = await verifiedClaims(jwt, party, options.nowMs);
  checkClaims(claims, options);
  return { party, assertionId: claims.jti as string, expiresAtMs: (claims.exp as number) * 1000, claims };
}

function claimedAccount(jwt: string): string {
  let claims: JWTPayload;
  try {
    claims = decodeJwt(jwt);
  } catch {
    throw refused('The assertion is not a JWT.');
  }
  if (typeof claims.iss !== 'string' || !ACCOUNT_ID.test(claims.iss) || claims.iss !== claims.sub) {
    throw refused('The assertion needs `iss` and `sub`, both the account id in lower-case hex.');
  }
  return claims.iss;
}

async function verifiedClaims(jwt: string, party: RegisteredParty, nowMs: number): Promise<JWTPayload> {
  const key = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(party.publicKey).toString('base64url') };
  try {
    const verified = await jwtVerify(jwt, key, {
      algorithms: ['EdDSA', 'Ed25519'],
      currentDate: new Date(nowMs),
      clockTolerance: 0,
      requiredClaims: ['exp', 'iat', 'jti', 'aud'],
    });
    return verified.payload;
  } catch (cause) {
    throw refused(
      'The assertion is expired, not signed with the registered key, or lacks exp, iat, jti or aud.',
      cause,
    );
  }
}

function checkClaims(claims: JWTPayload, options: { audience: string; nowMs: number }): void {
  const nowS = options.nowMs / 1000;
  if (claims.aud !== options.audience)
    throw refused('The `aud` of the assertion must be exactly this token endpoint.');
  if (typeof claims.exp !== 'number' || claims.exp > nowS + MAX_LIFETIME_S + CLOCK_SKEW_S)
    throw refused('The `exp` is more than 300 s ahead.');
  if (typeof claims.iat !== 'number' || claims.iat > nowS + CLOCK_SKEW_S)
    throw refused('The `iat` lies in the future.');
  if (claims.exp - claims.iat > MAX_LIFETIME_S) throw refused('An assertion may last 300 s at most.');
  if (typeof claims.jti !== 'string' || !JTI.test(claims.jti))
    throw refused('The `jti` must be 8 to 128 URL-safe characters.');
}

function refused(message: string, cause?: unknown): AppError {
  return new AppError('token-refused', message, { cause });
}
