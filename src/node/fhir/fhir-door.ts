import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FhirHandler } from '../../fhir/index.ts';
import { AppError } from '../../shared/index.ts';
import type { RegistryView } from '../auth/registry-view.ts';
import { bearerToken, type SessionStore } from '../auth/sessions.ts';
import type { NodeSession } from '../auth/token-endpoint.ts';
import { operationOutcomeReply } from '../http/error-response.ts';
import { faultText } from '../http/fault.ts';
import { type RequestContext, sendReply } from '../http/http-server.ts';
import { readBody } from '../http/read-body.ts';
import { fhirTemplate } from './route-template.ts';

export const FHIR_PREFIX = '/fhir/R4';
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Where FHIR requests come in: who asks is settled here, everything else behind it. */
export interface FhirDoor {
  handle(incoming: IncomingMessage, outgoing: ServerResponse, context: RequestContext): Promise<void>;
}

interface Deps {
  handler: FhirHandler;
  sessions: SessionStore<NodeSession>;
  registry: RegistryView;
  maxBodyBytes: number;
  nowMs: () => number;
}

/** The door in front of the FHIR handler. It speaks Node's HTTP directly: this is the path that has to be fast. */
export function createFhirDoor(deps: Deps): FhirDoor {
  return {
    async handle(incoming, outgoing, context) {
      try {
        const reply = await answer(incoming, context, deps);
        if (reply.error !== undefined) context.fault = faultText(reply.error);
        sendReply(outgoing, reply);
      } catch (error) {
        const reply = operationOutcomeReply(error);
        if (reply.status >= 500) context.fault = faultText(error);
        sendReply(outgoing, reply);
      }
    },
  };
}

async function answer(incoming: IncomingMessage, context: RequestContext, deps: Deps) {
  const method = incoming.method ?? 'GET';
  const [path = '', query = ''] = splitOnce(incoming.url ?? '/', '?');
  const fhirPath = path.slice(FHIR_PREFIX.length) || '/';
  context.template = fhirTemplate(fhirPath);
  const isPublic = fhirPath === '/metadata' && (method === 'GET' || method === 'HEAD');
  const session = isPublic ? undefined : authenticate(incoming, deps);
  const body = WITH_BODY.has(method) ? await readBody(incoming, deps.maxBodyBytes) : undefined;
  const headers = headersOf(incoming);
  return deps.handler({ method, path: fhirPath, query, headers, body, session });
}

/** The session of the request's token, if its party is still active: a suspension ends what it opened. */
export function authenticate(
  incoming: IncomingMessage,
  deps: Pick<Deps, 'sessions' | 'registry'>,
): NodeSession {
  const session = deps.sessions.find(bearerToken(incoming.headers.authorization));
  if (session === undefined)
    throw new AppError(
      'token-invalid',
      'The session token is unknown or over. Ask /auth/token for a new one.',
    );
  if (deps.registry.lookUp(session.accountId)?.status === 'active') return session;
  throw new AppError('token-invalid', 'The account of this session is suspended.');
}

function headersOf(incoming: IncomingMessage): Record<string, string | undefined> {
  const { 'set-cookie': _cookies, ...single } = incoming.headers;
  return single as Record<string, string | undefined>;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
