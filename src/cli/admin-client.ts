import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { AppError, ERROR_TABLE, type ErrorCode } from '../shared/index.ts';

/** Talks to a running node over the socket in its data folder, which only the folder's owner can open. */
export interface AdminClient {
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Record<string, unknown>>;
  /**
   * For long work: the node answers with JSON lines, each told as it comes; the last one says that it is done, and is returned.
   * Throws where the node went away before.
   */
  stream(
    path: string,
    body: unknown,
    onLine: (line: Record<string, unknown>) => void,
  ): Promise<Record<string, unknown>>;
}

/** A client of the node whose admin socket is at `socketPath`. */
export function adminClient(socketPath: string): AdminClient {
  return {
    async call(method, path, body) {
      const response = await send(socketPath, method, path, body);
      const text = await readText(response);
      const value = parseObject(text);
      if ((response.statusCode ?? 500) >= 400) throw problemError(value);
      return value;
    },
    async stream(path, body, onLine) {
      const response = await send(socketPath, 'POST', path, body);
      if ((response.statusCode ?? 500) >= 400) throw problemError(parseObject(await readText(response)));
      for await (const line of linesOf(response)) {
        const told = parseObject(line);
        if (told.error !== undefined) throw problemError({ title: told.error, detail: told.message });
        onLine(told);
        if (told.done === true) return told;
      }
      throw new AppError(
        'node-unreachable',
        'The node ended before it was done. Look at its log, and do it again: what it left is not whole.',
      );
    },
  };
}

/** Ends where the answer ends, also where the node was killed in the middle of it. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  try {
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY }))
      if (line !== '') yield line;
  } catch {
    // The connection was lost: what came is all there is.
  }
}

function send(socketPath: string, method: string, path: string, body: unknown): Promise<IncomingMessage> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const headers =
      bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': bytes.length };
    const outgoing = request({ socketPath, method, path, headers }, resolve);
    outgoing.on('error', (cause: NodeJS.ErrnoException) => reject(socketError(cause)));
    outgoing.end(bytes);
  });
}

function socketError(cause: NodeJS.ErrnoException): AppError {
  if (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED') {
    return new AppError(
      'node-not-running',
      'No node runs on this data folder. Start it with `careledger start`, or name its folder with --data.',
      { cause },
    );
  }
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    return new AppError(
      'folder-not-writable',
      "Only the owner of the node's data folder can administer it.",
      { cause },
    );
  }
  return new AppError('node-unreachable', `The node did not answer (${cause.code ?? 'connection lost'}).`, {
    cause,
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Falls through to the same answer: what came is not ours.
  }
  throw new AppError('node-unreachable', 'The node gave an answer that this version does not understand.');
}

function problemError(problem: Record<string, unknown>): AppError {
  const title = String(problem.title ?? 'internal');
  const code = (Object.hasOwn(ERROR_TABLE, title) ? title : 'internal') as ErrorCode;
  return new AppError(code, String(problem.detail ?? 'The node refused.'));
}
