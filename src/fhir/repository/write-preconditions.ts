import { AppError } from '../../shared/index.ts';

/** Conditions on the version that is there, as the headers or an entry's `request` have them. */
export type Preconditions = {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
};

const ENTITY_TAGS = /^\s*(?:W\/)?"[^"]*"\s*(?:,\s*(?:W\/)?"[^"]*"\s*)*$/;

/**
 * Whether a condition names a version (RFC 9110 section 13.1: `*`, or a list of entity tags). R4 writes them weak and compares
 * the version alone. What is neither is refused: to pass over it would write unconditionally.
 */
export function namesVersion(condition: string, version: number | string): boolean {
  if (condition.trim() === '*') return true;
  if (!ENTITY_TAGS.test(condition))
    throw new AppError('invalid-request', 'If-Match and If-None-Match are * or entity tags: W/"1".');
  return [...condition.matchAll(/"([^"]*)"/g)].some(([, tag]) => tag === String(version));
}

/**
 * RFC 9110 sections 13.1.1 and 13.1.2. `version` is of the record that is there, `mayKnow` whether the caller may: to who may
 * neither see nor change it, it is as absent as one that never was.
 */
export async function checkPreconditions(
  { ifMatch, ifNoneMatch }: Preconditions,
  version: number | undefined,
  mayKnow: () => Promise<boolean>,
): Promise<void> {
  // An absent record has a version that nobody can name.
  const names = (condition: string) => namesVersion(condition, version ?? '') && version !== undefined;
  const isUnmatched = ifMatch !== undefined && !names(ifMatch);
  const isNamed = ifNoneMatch !== undefined && names(ifNoneMatch);
  if (isUnmatched) throw unmatched();
  if (ifMatch === undefined && !isNamed) return;
  const isKnown = await mayKnow();
  if (ifMatch !== undefined && !isKnown) throw unmatched();
  if (isNamed && isKnown)
    throw new AppError(
      'precondition-failed',
      'The resource is there already, in a version that is excluded.',
    );
}

function unmatched(): AppError {
  return new AppError(
    'precondition-failed',
    'The resource has changed, or is not there. Read it again and repeat with its new ETag.',
  );
}
