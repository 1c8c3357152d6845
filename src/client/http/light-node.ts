import { AppError } from '../../shared/index.ts';
import type { LightSource } from '../light/light-source.ts';
import { nodeSource } from '../light/node-source.ts';
import { type ExchangeAnswer, exchangeOk, type Fetch } from './exchange.ts';

const MAX_ANSWER_BYTES = 1 << 20;

/** The node at an address as a source of blocks; it is named by the address. */
export function nodeSourceAt(baseUrl: string, fetch: Fetch = globalThis.fetch): LightSource {
  return nodeSource(baseUrl, async (path) => {
    try {
      const url = baseUrl.replace(/\/+$/, '') + path;
      const answer: ExchangeAnswer = await exchangeOk(fetch, url, { maxBytes: MAX_ANSWER_BYTES });
      return answer.bytes;
    } catch (error) {
      if (error instanceof AppError && error.code === 'not-found') return undefined;
      throw error;
    }
  });
}
