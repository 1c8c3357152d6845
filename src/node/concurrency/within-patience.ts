import type { NodeRuntime } from '../runtime.ts';

const STOP_PATIENCE_MS = 5_000;

/** A consortium without a majority confirms nothing: what is left is anchored after the next start. */
export async function withinPatience(
  { consortium }: Pick<NodeRuntime, 'consortium'>,
  work: Promise<void>,
): Promise<void> {
  if (consortium === undefined) return work;
  work.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_PATIENCE_MS);
  });
  await Promise.race([work, patience]);
  clearTimeout(timer);
}
