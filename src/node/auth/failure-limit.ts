/** Counts failed attempts by origin. */
export interface FailureLimit {
  /** Counts one more; answers whether it is within the limit. */
  count(origin: string): boolean;
  /** Whether the next failure would be beyond the limit. */
  isBeyond(origin: string): boolean;
}

const MAX_ORIGINS = 10_000;

/** At most `limit` failures an origin in each window; the oldest origins are forgotten first when there are very many. */
export function createFailureLimit(options: {
  limit: number;
  windowMs: number;
  nowMs: () => number;
}): FailureLimit {
  const origins = new Map<string, { count: number; endsAtMs: number }>();
  const countOf = (origin: string): number => {
    const entry = origins.get(origin);
    if (entry === undefined || entry.endsAtMs > options.nowMs()) return entry?.count ?? 0;
    origins.delete(origin);
    return 0;
  };
  return {
    count(origin) {
      const count = countOf(origin) + 1;
      const endsAtMs = origins.get(origin)?.endsAtMs ?? options.nowMs() + options.windowMs;
      const oldest = origins.keys().next().value;
      if (count === 1 && origins.size >= MAX_ORIGINS && oldest !== undefined) origins.delete(oldest);
      origins.set(origin, { count, endsAtMs });
      return count <= options.limit;
    },
    isBeyond: (origin) => countOf(origin) >= options.limit,
  };
}
