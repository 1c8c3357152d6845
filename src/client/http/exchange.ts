import { AppError, ERROR_TABLE, type ErrorCode, fromUtf8 } from '../../shared/index.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 << 20;
const MAX_PROBLEM_CHARACTERS = 2000;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type ExchangeRequest = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
};

export type ExchangeAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
};

/** One HTTP exchange with a time limit and a size limit. Redirects are not followed: a token would travel with them. */
export async function exchange(
  fetch: Fetch,
  url: string,
  request: ExchangeRequest = {},
): Promise<ExchangeAnswer> {
  const {
    method = 'GET',
    headers = {},
    body,
    timeoutMs = DEFAULT_TIMEOUT_MS,
    maxBytes = MAX_ANSWER_BYTES,
  } = request;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const init: RequestInit = { method, headers, redirect: 'error', signal };
    const response = await fetch(
      url,
      body === undefined ? init : { ...init, body: body as NonNullable<RequestInit['body']> },
    );
    return {
      status: response.status,
      headers: response.headers,
      bytes: await readBounded(response, maxBytes),
    };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    if (signal.aborted)
      throw new AppError(
        'timeout',
        `The node at ${originOf(url)} did not answer within ${timeoutMs / 1000} s.`,
        { cause },
      );
    throw new AppError(
      'node-unreachable',
      `The node at ${originOf(url)} cannot be reached. Is it running, and is the address right?`,
      { cause },
    );
  }
}

/** The same, for answers that must be a success: problem details and OAuth errors become an AppError with the node's own code. */
export async function exchangeOk(
  fetch: Fetch,
  url: string,
  request: ExchangeRequest = {},
): Promise<ExchangeAnswer> {
  const answer = await exchange(fetch, url, request);
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw refusalOf(answer, url);
}

export function jsonObjectOf(answer: ExchangeAnswer): Record<string, unknown> {
  const value = parseJson(answer.bytes);
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw unreadable();
}

export function textOf(answer: ExchangeAnswer): string {
  const text = fromUtf8(answer.bytes);
  if (text === undefined) throw unreadable();
  return text;
}

/** What came is not what a node of this version answers. */
export function unreadable(): AppError {
  return new AppError('node-unreachable', 'The node gave an answer that this version does not understand.');
}

async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxBytes)
      throw new AppError(
        'body-too-large',
        `The node's answer is larger than ${maxBytes} bytes and was not read on.`,
      );
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function refusalOf(answer: ExchangeAnswer, url: string): AppError {
  const problem = (parseJson(answer.bytes) ?? {}) as Record<string, unknown>;
  const name = [problem.code, problem.title].find(
    (value) => typeof value === 'string' && Object.hasOwn(ERROR_TABLE, value),
  );
  const detail = [problem.detail, problem.error_description].find((value) => typeof value === 'string');
  const message =
    typeof detail === 'string'
      ? detail.slice(0, MAX_PROBLEM_CHARACTERS)
      : `The node at ${originOf(url)} refused (HTTP ${answer.status}).`;
  return new AppError((name as ErrorCode | undefined) ?? codeOfStatus(answer.status), message);
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return 'token-refused';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not-found';
  if (status === 409) return 'conflict';
  if (status === 429) return 'too-many-requests';
  return status >= 500 ? 'unavailable' : 'invalid-request';
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes) ?? '');
  } catch {
    return undefined;
  }
}

/** Never the path: it may name a patient. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'that address';
}
