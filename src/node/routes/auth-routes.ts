import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/index.ts';
import { grantToken, oauthErrorCode } from '../auth/token-endpoint.ts';
import { bodyBytes, json, type NodeApp, reply } from '../http/app.ts';
import { problemReply } from '../http/error-response.ts';
import type { PartsOfNode } from '../runtime.ts';

const MAX_TOKEN_REQUEST_BYTES = 16 * 1024;

type AuthParts = PartsOfNode<
  'baseUrl' | 'nowMs' | 'registry' | 'vault' | 'sessions' | 'attempts' | 'originOf' | 'metrics'
>;

/** The token endpoint; its errors are those of RFC 6749 section 5.2. */
export function addAuthRoutes(app: NodeApp, runtime: AuthParts): void {
  app.post('/auth/token', async (context) => {
    try {
      const form = formOf(
        context.req.header('content-type'),
        await bodyBytes(context, MAX_TOKEN_REQUEST_BYTES),
      );
      const origin = runtime.originOf(context.env.incoming as IncomingMessage);
      const answer = await grantToken(form, origin, {
        audience: () => `${runtime.baseUrl}/auth/token`,
        nowMs: runtime.nowMs,
        lookUp: (accountId) => runtime.registry.lookUp(accountId),
        patientOf: async (accountId) => (await runtime.vault.bindings.byAccount(accountId))?.patientId,
        useOnce: (id, expiresAtMs) => runtime.vault.usedIdentifiers.useOnce(id, expiresAtMs, runtime.nowMs()),
        sessions: runtime.sessions,
        attempts: runtime.attempts,
      });
      return json(answer);
    } catch (error) {
      runtime.metrics.count('careledger_tokens_refused_total');
      return oauthError(error);
    }
  });
}

function formOf(contentType: string | undefined, body: Buffer): URLSearchParams {
  if (contentType?.split(';')[0]?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    throw new AppError(
      'unsupported-media-type',
      'Send the token request as application/x-www-form-urlencoded.',
    );
  }
  return new URLSearchParams(body.toString('utf8'));
}

function oauthError(error: unknown): Response {
  const problem = problemReply(error);
  const description = error instanceof AppError ? error.message : 'The node failed on this request.';
  const body = JSON.stringify({ error: oauthErrorCode(error), error_description: description });
  return reply({ ...problem, headers: { ...problem.headers, 'content-type': 'application/json' }, body });
}
