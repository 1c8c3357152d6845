import { AppError } from '../../shared/index.ts';

const RPC_TIMEOUT_MS = 5000;
const MAX_ANSWER_BYTES = 8 << 20;
/** What CometBFT's light client asks; nothing here changes anything, and all of it is on the record anyway. */
const METHODS = new Set(['commit', 'validators', 'consensus_params']);
const PARAMETERS = ['height', 'page', 'per_page'];
const NUMBER = /^\d{1,15}$/;

/** Answers a JSON-RPC request of a CometBFT that joins by state sync, by this node's own CometBFT. */
export async function answerConsensusRpc(rpcUrl: string, request: Record<string, unknown>): Promise<string> {
  const { id, method, params } = request;
  if (typeof method !== 'string' || !METHODS.has(method) || !isId(id))
    throw new AppError(
      'invalid-request',
      `This answers ${[...METHODS].join(', ')} as CometBFT does, and no more.`,
    );
  const body = JSON.stringify({ jsonrpc: '2.0', id, method, params: parametersOf(params) });
  const headers = { 'content-type': 'application/json' };
  try {
    const signal = AbortSignal.timeout(RPC_TIMEOUT_MS);
    const reply = await fetch(rpcUrl, { method: 'POST', headers, body, signal });
    const text = await reply.text();
    if (text.length <= MAX_ANSWER_BYTES) return text;
  } catch (cause) {
    throw unavailable(cause);
  }
  throw unavailable(undefined);
}

function isId(id: unknown): boolean {
  return Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= 64);
}

/** Rebuilt from numbers, so that nothing else of a stranger's request goes on. */
function parametersOf(params: unknown): Record<string, string> {
  const given = (params ?? {}) as Record<string, unknown>;
  const named = PARAMETERS.filter((name) => given[name] !== undefined && given[name] !== null);
  return Object.fromEntries(
    named.map((name) => {
      if (NUMBER.test(String(given[name]))) return [name, String(given[name])];
      throw new AppError('invalid-request', `${name} must be a whole number.`);
    }),
  );
}

function unavailable(cause: unknown): AppError {
  return new AppError(
    'unavailable',
    'The consensus engine of this node does not answer. It may be starting: ask again in a moment.',
    { cause },
  );
}
