import { hash, randomBytes } from 'node:crypto';
import { AppError } from '../../shared/index.ts';

export const SESSION_LIFETIME_MS = 300_000;
const TOKEN_BYTES = 32;
const TOKEN_CHARS = 43;
const MAX_SESSIONS = 100_000;
const SWEEP_EVERY_MS = 30_000;

/** Opaque bearer tokens and what each stands for. Only the hash of a token is kept. */
export interface SessionStore<Session> {
  open(session: Session): { token: string; expiresAtMs: number };
  /** The session of a token, or undefined when it is unknown or over. */
  find(token: string): Session | undefined;
  /** Ends every session that `ended` accepts: a suspended party's, or one whose key was rotated. */
  end(ended: (session: Session) => boolean): void;
  readonly size: number;
}

/**
 * A store in memory: a restart ends all sessions, which are five minutes long anyway. The map is keyed by the token's
 * SHA-256, so a comparison's timing tells nothing about a token.
 */
export function createSessionStore<Session>(nowMs: () => number): SessionStore<Session> {
  const sessions = new Map<string, { session: Session; expiresAtMs: number }>();
  let sweepAtMs = nowMs() + SWEEP_EVERY_MS;
  const sweep = (): void => {
    if (nowMs() < sweepAtMs) return;
    sweepAtMs = nowMs() + SWEEP_EVERY_MS;
    for (const [key, entry] of sessions) if (entry.expiresAtMs <= nowMs()) sessions.delete(key);
  };
  return {
    open(session) {
      sweep();
      if (sessions.size >= MAX_SESSIONS)
        throw new AppError('busy', 'The node has as many sessions as it can hold. Try again shortly.');
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      const expiresAtMs = nowMs() + SESSION_LIFETIME_MS;
      sessions.set(keyOf(token), { session, expiresAtMs });
      return { token, expiresAtMs };
    },
    find(token) {
      if (token.length !== TOKEN_CHARS) return undefined;
      const entry = sessions.get(keyOf(token));
      if (entry === undefined || entry.expiresAtMs <= nowMs()) return undefined;
      return entry.session;
    },
    end(ended) {
      for (const [key, entry] of sessions) if (ended(entry.session)) sessions.delete(key);
    },
    get size() {
      return sessions.size;
    },
  };
}

function keyOf(token: string): string {
  return hash('sha256', token, 'base64');
}

/** The token of an `Authorization: Bearer …` header (RFC 6750 section 2.1). */
export function bearerToken(header: string | undefined): string {
  if (header === undefined)
    throw new AppError(
      'token-missing',
      'Send a session token: Authorization: Bearer …. POST /auth/token gives one.',
    );
  const token = /^Bearer ([A-Za-z0-9._~+/-]{1,512}=*)$/i.exec(header)?.[1];
  if (token === undefined)
    throw new AppError('token-invalid', 'The Authorization header is not a Bearer token.');
  return token;
}
