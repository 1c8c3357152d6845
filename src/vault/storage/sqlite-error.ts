import { AppError } from '../../shared/index.ts';

const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

/** What is told of a failure by the thread on which it happened. */
export type SqliteFailure = { readonly code: string; readonly errcode: number };

export function failureOf(cause: unknown): SqliteFailure {
  const { code, errcode } = (cause ?? {}) as { code?: unknown; errcode?: unknown };
  return { code: String(code ?? ''), errcode: Number(errcode ?? 0) };
}

export function isSqliteError(cause: unknown): boolean {
  const { code } = (cause ?? {}) as { code?: unknown };
  return ['ERR_SQLITE_ERROR', 'ERR_INVALID_STATE', 'ERR_OUT_OF_RANGE'].includes(String(code));
}

/** Another process has the file locked. */
export function isBusy(cause: unknown): boolean {
  return errorNumber(cause) === SQLITE_BUSY;
}

function errorNumber(cause: unknown): number {
  return Number((cause as { errcode?: unknown } | undefined)?.errcode ?? 0) & 0xff;
}

/** What a failure of SQLite means to whoever runs the node. */
export function sqliteError(path: string, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  if ((cause as { code?: unknown }).code === 'ERR_INVALID_STATE')
    return new AppError('closed', 'The vault is closed.', { cause });
  if ((cause as { code?: unknown }).code === 'ERR_OUT_OF_RANGE') return damagedDatabase(path, cause);
  switch (errorNumber(cause)) {
    case SQLITE_FULL:
      return new AppError(
        'disk-full',
        `No space is left for ${path}. Free some, then try again; nothing acknowledged was lost.`,
        { cause },
      );
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return new AppError(
        'folder-not-writable',
        `${path} cannot be opened for writing. Check its folder, owner and permissions.`,
        { cause },
      );
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damagedDatabase(path, cause);
    case SQLITE_BUSY:
      return new AppError('busy', `The database ${path} is busy. Try again.`, { cause });
    case SQLITE_CONSTRAINT:
      return new AppError('conflict', 'Something else was written there first. Read it again, then retry.', {
        cause,
      });
    default:
      return new AppError(
        'storage-failed',
        `The database ${path} failed. Check the disk, then restart the node.`,
        { cause },
      );
  }
}

/** Also of a number that no code of ours can have written. */
function damagedDatabase(path: string, cause: unknown): AppError {
  return new AppError(
    'damaged',
    `The database ${path} is damaged. Run the audit, and restore the last backup to a new folder.`,
    { cause },
  );
}
