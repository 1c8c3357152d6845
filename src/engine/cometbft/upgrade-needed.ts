import { AppError } from '../../shared/index.ts';
import type { Application } from './abci/methods.ts';

export function isUpgradeNeeded(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'upgrade-needed';
}

/** Tells when a block needs rules that this software does not know. The consensus engine is told to stop, as by any other error. */
export function tellingUpgrade(application: Application, tell: (error: AppError) => void): Application {
  const heard = (cause: unknown): never => {
    if (isUpgradeNeeded(cause)) tell(cause);
    throw cause;
  };
  const telling =
    <Request, Answer>(run: (request: Request) => Answer | Promise<Answer>) =>
    (request: Request): Answer | Promise<Answer> => {
      try {
        const running = run(request);
        return running instanceof Promise ? running.catch(heard) : running;
      } catch (cause) {
        return heard(cause);
      }
    };
  return {
    ...application,
    prepareProposal: telling(application.prepareProposal),
    processProposal: telling(application.processProposal),
    finalizeBlock: telling(application.finalizeBlock),
  };
}
