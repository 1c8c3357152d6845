import { AppError } from '../../shared/index.ts';
import type { DenialCode } from '../gate/index.ts';

const NOT_FOUND = 'There is no such resource, or it may not be seen under the consents that apply.';

/** A denial looks like an absence, unless the requester is entitled to know the difference. */
export function denialError(code: DenialCode): AppError {
  return code === 'not-found'
    ? notFoundError()
    : new AppError('forbidden', 'The consents that apply do not permit this.');
}

export function notFoundError(): AppError {
  return new AppError('not-found', NOT_FOUND);
}

export function goneError(): AppError {
  return new AppError('gone', 'The resource was deleted. Its history may still be read.');
}
