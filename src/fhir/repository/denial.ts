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

/** To write back what is seen in part would lose the rest. */
export function partlySeenError(): AppError {
  return new AppError(
    'forbidden',
    'The consents that apply show this record only in part. To patch it, or to write the view back, takes all of it.',
  );
}

export function goneError(): AppError {
  return new AppError('gone', 'The resource was deleted. Its history may still be read.');
}
