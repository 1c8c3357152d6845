import { AppError, type ErrorCode } from '../shared/index.ts';

const REASONS: Record<string, [ErrorCode, (path: string) => string]> = {
  ENOENT: ['not-found', (path) => `${path} does not exist, or the folder that it is to be in does not.`],
  ENOTDIR: ['not-found', (path) => `${path} cannot be: a part of it is a file and no folder.`],
  EEXIST: ['conflict', (path) => `${path} exists and is not overwritten. Choose another name.`],
  EISDIR: ['usage', (path) => `${path} is a folder. Name a file.`],
  ELOOP: ['not-found', (path) => `${path} leads in a circle of links.`],
  ENAMETOOLONG: ['usage', (path) => `The name ${path.slice(0, 80)}… is too long.`],
  EACCES: ['file-failed', (path) => `You may not read or write ${path}.`],
  EPERM: ['file-failed', (path) => `You may not read or write ${path}.`],
  EROFS: ['file-failed', (path) => `${path} is on a disk that cannot be written.`],
  ENOSPC: ['file-failed', (path) => `The disk of ${path} is full.`],
  EDQUOT: ['file-failed', (path) => `Your share of the disk of ${path} is used up.`],
  EIO: ['file-failed', (path) => `The disk of ${path} fails.`],
};

/** What the system said of a file that the user named, as an error for the user; undefined for any other error. */
export function fileError(error: unknown): AppError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path = 'the file' } = error as NodeJS.ErrnoException;
  const reason = code !== undefined && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  return reason && new AppError(reason[0], reason[1](path), { cause: error });
}
