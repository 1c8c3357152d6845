/** Counts failed attempts by origin and says when to stop listening to one for a while. */
export interface FailureLimit {
  /** Milliseconds until `origin` may try again; 0 when it may now. */
  waitMs(origin: string): number;
  failed(origin: string): void;
}

const MAX_ORIGINS = 10_000;

/** At most `limit` failures an origin in each window; the oldest origins are forgotten first when there are very many. */
export function createFailureLimit(options: {
  limit: number;
  windowMs: number;
  nowMs: () => number;
}): FailureLimit {
  const origins = new Map<string, { count: number; endsAtMs: number }>();
  const current = (origin: string): { count: number; endsAtMs: number } | undefined => {
    const entry = origins.get(origin);
    if (entry === undefined || entry.endsAtMs > options.nowMs()) return entry;
    origins.delete(origin);
    return undefined;
  };
  return {
    waitMs(origin) {
      const entry = current(origin);
      if (entry === undefined || entry.count < options.limit) return 0;
      return entry.endsAtMs - options.nowMs();
    },
    failed(origin) {
      const entry = current(origin);
      if (entry !== undefined) return void entry.count++;
      const oldest = origins.keys().next().value;
      if (origins.size >= MAX_ORIGINS && oldest !== undefined) origins.delete(oldest);
      origins.set(origin, { count: 1, endsAtMs: options.nowMs() + options.windowMs });
    },
  };
}
