import { AppError, toHex } from '../../shared/index.ts';
import { type ProvenAssertion, verifyAssertion } from './assertion.ts';
import type { Attempts } from './attempts.ts';
import { believedClaims } from './claims.ts';
import type { RegisteredParty } from './registry-view.ts';
import { SESSION_LIFETIME_MS, type SessionStore } from './sessions.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Who asks, and as what: the identity every later decision is made for. */
export interface NodeSession {
  accountId: string;
  kind: RegisteredParty['kind'];
  organisation: string;
  /** The key that opened the session, in hex: a rotation ends it. */
  publicKey: string;
  roles: string[];
  purpose: string;
  /** The Patient that enrolment bound this account to. */
  patientId?: string;
}

export interface TokenEndpointDeps {
  audience: () => string;
  nowMs: () => number;
  lookUp: (accountId: string) => RegisteredParty | undefined;
  patientOf: (accountId: string) => Promise<string | undefined>;
  /** Durably true once for each id. */
  useOnce: (id: string, expiresAtMs: number) => Promise<boolean>;
  sessions: SessionStore<NodeSession>;
  attempts: Attempts;
}

export interface TokenAnswer {
  access_token: string;
  token_type: 'Bearer';
  expires_in: number;
}

/** RFC 6749 section 4.4 with RFC 7523 section 2.2: a signed assertion in, an opaque session token out. */
export async function grantToken(
  form: URLSearchParams,
  origin: string,
  deps: TokenEndpointDeps,
): Promise<TokenAnswer> {
  return deps.attempts.counted(origin, async () => {
    const assertion = assertionOf(form);
    const facts = { audience: deps.audience(), nowMs: deps.nowMs(), lookUp: deps.lookUp };
    const proven = await deps.attempts.inTurn(origin, () => verifyAssertion(assertion, facts));
    const session = await sessionOf(proven, deps);
    await refuseReplay(proven, deps);
    const { token } = deps.sessions.open(session);
    await endIfChanged(session, deps);
    return { access_token: token, token_type: 'Bearer', expires_in: SESSION_LIFETIME_MS / 1000 };
  });
}

/** What ended sessions while this one was about to be opened did not find it. */
async function endIfChanged(session: NodeSession, deps: TokenEndpointDeps): Promise<void> {
  const patientId = session.kind === 'patient' ? await deps.patientOf(session.accountId) : undefined;
  const party = deps.lookUp(session.accountId);
  const isSame = party?.status === 'active' && toHex(party.publicKey) === session.publicKey;
  if (isSame && patientId === session.patientId) return;
  deps.sessions.end((other) => other === session);
  throw new AppError('token-refused', 'The account changed while it asked. Ask again.');
}

function assertionOf(form: URLSearchParams): string {
  if (form.get('grant_type') !== 'client_credentials') {
    throw new AppError('grant-type-unsupported', 'Send grant_type=client_credentials.');
  }
  const assertions = form.getAll('client_assertion');
  if (
    form.get('client_assertion_type') !== ASSERTION_TYPE ||
    assertions.length !== 1 ||
    assertions[0] === undefined
  ) {
    throw new AppError(
      'token-request-invalid',
      `Send one client_assertion, with client_assertion_type=${ASSERTION_TYPE}.`,
    );
  }
  return assertions[0];
}

async function sessionOf(proven: ProvenAssertion, deps: TokenEndpointDeps): Promise<NodeSession> {
  const { accountId, kind } = proven.party;
  const session = {
    accountId,
    kind,
    publicKey: toHex(proven.party.publicKey),
    ...believedClaims(proven.claims, proven.party),
  };
  if (kind !== 'patient') return session;
  const patientId = await deps.patientOf(accountId);
  if (patientId === undefined)
    throw new AppError('token-refused', 'This wallet is not enrolled here. Enrol it with a one-time code.');
  return { ...session, patientId };
}

/** Last, so that an assertion that is refused for another reason is not used up by it. */
async function refuseReplay(proven: ProvenAssertion, deps: TokenEndpointDeps): Promise<void> {
  const id = `${proven.party.accountId}:${proven.assertionId}`;
  if (await deps.useOnce(id, proven.expiresAtMs)) return;
  throw new AppError('token-replayed', 'This assertion was used before. Sign a new one, with a new jti.');
}

/** RFC 6749 section 5.2: the error code an OAuth client expects for one of ours. */
export function oauthErrorCode(error: unknown): string {
  if (!(error instanceof AppError)) return 'server_error';
  if (error.code === 'grant-type-unsupported') return 'unsupported_grant_type';
  if (error.code === 'token-request-invalid') return 'invalid_request';
  if (error.code === 'claim-refused') return 'invalid_scope';
  return error.code === 'too-many-requests' || error.code === 'busy'
    ? 'temporarily_unavailable'
    : 'invalid_client';
}
