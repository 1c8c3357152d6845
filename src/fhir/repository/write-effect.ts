import type { Resource } from '@medplum/fhirtypes';

/** What a write did: a resource that was not there, or was deleted, is created; the same content again changes nothing. */
export type WriteEffect = 'created' | 'changed' | 'unchanged';

const effects = new WeakMap<Resource, WriteEffect>();

/** Remembers what led to this answer, for as long as it is on its way to the caller. */
export function withEffect<T extends Resource>(answer: T, effect: WriteEffect): T {
  effects.set(answer, effect);
  return answer;
}

/** What the write did that gave this very answer; undefined for what was read. */
export function effectOf(answer: Resource | undefined): WriteEffect | undefined {
  return answer && effects.get(answer);
}
