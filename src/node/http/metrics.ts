const BUCKETS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000];

interface Histogram {
  labels: string;
  counts: number[];
  sumMs: number;
  total: number;
}

/** A value read when it is asked for. */
export interface Gauge {
  name: string;
  help: string;
  read: () => number;
}

/** Prometheus metrics of the HTTP surface. Labels are methods, route templates and statuses: nothing a caller can invent. */
export interface Metrics {
  request(method: string, template: string, status: number, milliseconds: number): void;
  count(name: string): void;
  gauge(gauge: Gauge): void;
  render(): string;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** A registry of counters, gauges and one latency histogram a route. */
export function createMetrics(): Metrics {
  const histograms = new Map<string, Histogram>();
  const counters = new Map<string, number>();
  const gauges: Gauge[] = [];
  return {
    request(method, template, status, milliseconds) {
      const verb = METHODS.has(method) ? method : 'OTHER';
      const labels = `method="${verb}",route="${template}",status="${status}"`;
      observe(histogramOf(histograms, labels), milliseconds);
    },
    count: (name) => void counters.set(name, (counters.get(name) ?? 0) + 1),
    gauge: (gauge) => void gauges.push(gauge),
    render: () =>
      [...renderGauges(gauges), ...renderCounters(counters), ...renderHistograms(histograms), ''].join('\n'),
  };
}

function histogramOf(histograms: Map<string, Histogram>, labels: string): Histogram {
  const known = histograms.get(labels);
  if (known !== undefined) return known;
  const fresh = { labels, counts: new Array<number>(BUCKETS_MS.length).fill(0), sumMs: 0, total: 0 };
  histograms.set(labels, fresh);
  return fresh;
}

function observe(histogram: Histogram, milliseconds: number): void {
  histogram.sumMs += milliseconds;
  histogram.total++;
  const bucket = BUCKETS_MS.findIndex((limit) => milliseconds <= limit);
  if (bucket >= 0) histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
}

function renderGauges(gauges: Gauge[]): string[] {
  return gauges.flatMap((gauge) => [
    `# HELP ${gauge.name} ${gauge.help}`,
    `# TYPE ${gauge.name} gauge`,
    `${gauge.name} ${gauge.read()}`,
  ]);
}

function renderCounters(counters: Map<string, number>): string[] {
  return [...counters].flatMap(([name, value]) => [`# TYPE ${name} counter`, `${name} ${value}`]);
}

function renderHistograms(histograms: Map<string, Histogram>): string[] {
  const name = 'careledger_http_request_duration_seconds';
  const lines = [
    `# HELP ${name} Time from the first byte of a request to the last of its answer.`,
    `# TYPE ${name} histogram`,
  ];
  for (const { labels, counts, sumMs, total } of histograms.values()) {
    let seen = 0;
    for (const [index, limit] of BUCKETS_MS.entries()) {
      seen += counts[index] ?? 0;
      lines.push(`${name}_bucket{${labels},le="${limit / 1000}"} ${seen}`);
    }
    lines.push(`${name}_bucket{${labels},le="+Inf"} ${total}`);
    lines.push(`${name}_sum{${labels}} ${sumMs / 1000}`, `${name}_count{${labels}} ${total}`);
  }
  return lines;
}
