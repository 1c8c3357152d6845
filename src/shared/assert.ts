/** A broken assertion is a bug in CareLedger, never a fault of the input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(`This is a bug in CareLedger: ${message}`);
}

/** Makes a missing case a compile error. */
export function unreachable(value: never): never {
  throw new AssertionError(`This is a bug in CareLedger: a case is missing for ${typeof value}`);
}
