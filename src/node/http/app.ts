import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { routePath } from 'hono/route';
import { AppError, parseJson } from '../../shared/index.ts';
import { problemReply } from './error-response.ts';
import { faultText } from './fault.ts';
import type { RequestContext } from './http-server.ts';
import { readBody } from './read-body.ts';

/** A Hono app on Node's own request and response, whose errors are problem details. */
export type NodeApp = Hono<{ Bindings: HttpBindings }>;
export type NodeContext = Context<{ Bindings: HttpBindings }>;

const contexts = new WeakMap<IncomingMessage, RequestContext>();

/** An app without routes; each request's route template goes to its log line, whatever its URL was. */
export function createApp(): NodeApp {
  const app: NodeApp = new Hono();
  app.use(async (context, next) => {
    await next();
    const request = contexts.get(context.env.incoming);
    if (request !== undefined) request.template = templateOf(context);
  });
  app.notFound(() =>
    reply(
      problemReply(new AppError('not-found', 'There is nothing at this address. GET / says what there is.')),
    ),
  );
  app.onError((error, context) => {
    const request = contexts.get(context.env.incoming);
    const answer = problemReply(error);
    if (request !== undefined && answer.status >= 500) request.fault = faultText(error);
    return reply(answer);
  });
  return app;
}

function templateOf(context: NodeContext): string {
  const template = routePath(context, -1);
  return template === '*' || template === '/*' ? 'unmatched' : template;
}

/** The listener that hands Node's requests to the app. */
export function appListener(
  app: NodeApp,
): (incoming: IncomingMessage, outgoing: ServerResponse, context: RequestContext) => Promise<void> {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return async (incoming, outgoing, context) => {
    contexts.set(incoming, context);
    await listener(incoming, outgoing);
  };
}

/** A response from its parts. */
export function reply(parts: {
  status: number;
  headers: Record<string, string>;
  body: string | Uint8Array;
}): Response {
  return new Response(parts.body as string, { status: parts.status, headers: parts.headers });
}

/** A JSON answer. */
export function json(value: unknown, status = 200): Response {
  return reply({ status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });
}

/** The request's body as bytes, of limited length. */
export function bodyBytes(context: NodeContext, limitBytes: number): Promise<Buffer> {
  return readBody(context.env.incoming as IncomingMessage, limitBytes);
}

/** The request's body as a JSON object of limited length and depth. */
export async function bodyObject(context: NodeContext, limitBytes: number): Promise<Record<string, unknown>> {
  const value = parseJson(await bodyBytes(context, limitBytes));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid-request', 'The body must be a JSON object.');
  }
  return value as Record<string, unknown>;
}

/** A string field of a request, checked for presence and length. */
export function textField(body: Record<string, unknown>, name: string, maxChars: number): string {
  const value = body[name];
  if (typeof value === 'string' && value !== '' && value.length <= maxChars) return value;
  throw new AppError('invalid-request', `The field ${name} must be a text of 1 to ${maxChars} characters.`);
}
