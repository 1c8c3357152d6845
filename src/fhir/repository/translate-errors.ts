import { OperationOutcomeError } from '@medplum/core';
import { AppError } from '../../shared/index.ts';
import { outcomeOfError } from '../http/outcome.ts';

/** How the router names the statuses of entries in a batch (`getStatus` of its library reads the outcome's id). */
const OUTCOME_IDS: Readonly<Record<number, string>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  410: 'gone',
  412: 'precondition-failed',
  413: 'content-too-large',
  415: 'unsupported-media-type',
  422: 'business-rule',
  429: 'too-many-requests',
  504: 'server-timeout',
};

/** The repository as the router wants it: every error an outcome whose status it knows, our own kept as the cause. */
export function translatingErrors<T extends object>(repository: T): T {
  return new Proxy(repository, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result: unknown = value.apply(target, args);
        return result instanceof Promise ? result.catch(rethrow) : result;
      };
    },
  });
}

function rethrow(error: unknown): never {
  if (!(error instanceof AppError)) throw error;
  const { status, outcome } = outcomeOfError(error);
  const id = OUTCOME_IDS[status];
  throw new OperationOutcomeError({ ...outcome, ...(id !== undefined && { id }) }, { cause: error });
}
