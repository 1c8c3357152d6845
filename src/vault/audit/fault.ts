import { AppError } from '../../shared/index.ts';

/** What is wrong with what the action opens. */
export async function faultOf(action: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    // Nothing that was never damaged fails here; what it fails with may be anything, and the walk goes on.
    if (!(error instanceof AppError)) return `It cannot be read (${(error as Error).name}).`;
    return error.code === 'erased' ? 'The key that it is under is missing.' : error.message;
  }
}
