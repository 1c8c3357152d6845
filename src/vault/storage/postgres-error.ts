import { AppError } from '../../shared/index.ts';

/** Runs it; what PostgreSQL throws becomes an AppError. */
export async function guarded<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw postgresError(cause);
  }
}

function postgresError(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const code = String((cause as { code?: unknown } | undefined)?.code ?? '');
  if (code === '23505')
    return new AppError('conflict', 'Something else was written there first. Read it again, then retry.', {
      cause,
    });
  if (code === '53100')
    return new AppError('disk-full', 'PostgreSQL has no space left. Free some, then try again.', { cause });
  if (code === 'XX001' || code === 'XX002')
    return new AppError('damaged', 'PostgreSQL reports damaged data. Restore the last backup.', { cause });
  if (code.startsWith('28') || code === '3D000') {
    return new AppError(
      'unavailable',
      'PostgreSQL refused the connection. Check user, password and database in --vault.',
      { cause },
    );
  }
  if (code.startsWith('E') || code.startsWith('08') || code.startsWith('57') || code === '') {
    return new AppError(
      'unavailable',
      'PostgreSQL cannot be reached. Check that it runs and the address in --vault.',
      { cause },
    );
  }
  return new AppError(
    'storage-failed',
    'PostgreSQL refused a statement. See its log, then restart the node.',
    { cause },
  );
}
