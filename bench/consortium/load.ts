/** Loads a network over the RPC of its CometBFTs and says what they decided. A process of its own, so that it is not part of what is measured. */
import type { ValidatorCard } from '../../src/engine/cometbft/cometbft-home.ts';
import { sampleConsortium } from '../../src/engine/cometbft/testing/local-network.ts';
import { consentGrant, enrolment, type SampleSigner, sampleSigner } from '../../src/engine/sample-chain.ts';

export type LoadOrder = {
  readonly app: 'ours' | 'kvstore';
  readonly rpcUrls: readonly string[];
  readonly cards: readonly ValidatorCard[];
  readonly seconds: number;
};
export type LoadReport = {
  readonly perSecond: number;
  readonly transactionBytes: number;
  readonly blocks: number;
  /** All that was decided, before and after the measured time too. */
  readonly decided: number;
  readonly medianIntervalMs: number;
  readonly maxIntervalMs: number;
  /** Blocks that came while nothing was submitted. */
  readonly idleBlocks: number;
};
type BlockMeta = {
  readonly height: number;
  readonly timeMs: number;
  readonly transactions: number;
  /** When it was seen here. */
  readonly seenMs: number;
};

const PATIENTS = 100;
/** CometBFT has it already (mempool/errors.go). */
const IN_CACHE = 'tx already exists in cache';
const BATCH = 100;
/** What is under way at most: enough to fill blocks, less than a mempool holds. */
const WINDOW = 2000;
const POLL_MS = 50;
const WARM_UP_MS = 3000;
const SETTLE_MS = 60_000;
const IDLE_MS = 3000;
const MIN_BLOCKS = 8;
const BUSY_LIMIT_MS = 120_000;
/** More than these validators decide in a second, and signed before the clock starts. */
const PER_SECOND_AHEAD = 5000;
const BLOCKS_A_PAGE = 20;

const order = JSON.parse(process.argv[2] ?? '') as LoadOrder;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function callOnce<Answer>(url: string, body: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Answer;
}

/** CometBFT closes connections that rest; what is handed over twice is recorded once. */
function call<Answer>(url: string, body: unknown): Promise<Answer> {
  return callOnce<Answer>(url, body).catch(() => callOnce<Answer>(url, body));
}

/** Follows the chain at one node, and counts what its blocks hold. */
class Watcher {
  readonly blocks: BlockMeta[] = [];
  committed = 0;

  async poll(): Promise<void> {
    const from = (this.blocks.at(-1)?.height ?? 0) + 1;
    const params = { minHeight: String(from), maxHeight: String(from + BLOCKS_A_PAGE - 1) };
    type Answer = {
      result?: {
        last_height: string;
        block_metas: { header: { height: string; time: string }; num_txs: string }[];
      };
    };
    const { result } = await call<Answer>(order.rpcUrls[0] as string, {
      jsonrpc: '2.0',
      id: 0,
      method: 'blockchain',
      params,
    });
    const metas = (result?.block_metas ?? []).map(({ header, num_txs }) => ({
      height: Number(header.height),
      timeMs: Date.parse(header.time),
      transactions: Number(num_txs),
      seenMs: performance.now(),
    }));
    for (const meta of metas.sort((a, b) => a.height - b.height)) {
      if (meta.height < from) continue;
      this.blocks.push(meta);
      this.committed += meta.transactions;
    }
    if (metas.length === BLOCKS_A_PAGE) await this.poll();
  }

  async until(count: number): Promise<void> {
    const deadline = Date.now() + SETTLE_MS;
    for (await this.poll(); this.committed < count; await this.poll()) {
      if (Date.now() > deadline) throw new Error(`${this.committed} of ${count} transactions were decided`);
      await pause(POLL_MS);
    }
  }
}

/** Hands transactions to one node, in their order. */
async function submit(url: string, transactions: readonly string[]): Promise<void> {
  for (let at = 0; at < transactions.length; at += BATCH) {
    const requests = transactions
      .slice(at, at + BATCH)
      .map((tx, id) => ({ jsonrpc: '2.0', id, method: 'broadcast_tx_async', params: { tx } }));
    type Answer = { error?: { message: string; data?: string } };
    const answers = await call<Answer[]>(url, requests);
    const refused = answers.find(({ error }) => error !== undefined && error.data !== IN_CACHE)?.error;
    if (refused !== undefined)
      throw new Error(`a transaction was refused: ${refused.message} ${refused.data ?? ''}`);
  }
}

const count = Math.ceil((order.seconds + WARM_UP_MS / 1000) * PER_SECOND_AHEAD);
const chain = sampleConsortium(order.cards);
const patients = Array.from({ length: PATIENTS }, (_, at) => sampleSigner(1, `patient ${at}`));
const watcher = new Watcher();
let submitted = 0;
if (order.app === 'ours') {
  const enrolments = patients.map((patient) => Buffer.from(enrolment(chain, patient)).toString('base64'));
  await submit(order.rpcUrls[0] as string, enrolments);
  submitted = enrolments.length;
  await watcher.until(submitted);
}
const grants = Array.from({ length: count }, (_, at) =>
  consentGrant(chain, patients[at % PATIENTS] as SampleSigner),
);
const transactionBytes = grants[0]?.length ?? 0;
// What comes of one patient goes to one node, or its numbers would not come in order.
const nodes = order.rpcUrls.length;
const queues: string[][] = order.rpcUrls.map(() => []);
for (const [at, grant] of grants.entries()) {
  const bytes = order.app === 'ours' ? grant : keyValue(at, grant.length);
  queues[(at % PATIENTS) % nodes]?.push(Buffer.from(bytes).toString('base64'));
}

function rateOf(blocks: readonly BlockMeta[]): number {
  const decided = blocks.slice(1).reduce((sum, { transactions }) => sum + transactions, 0);
  return (decided / ((blocks.at(-1)?.seenMs ?? 0) - (blocks[0]?.seenMs ?? 0))) * 1000;
}

function keyValue(at: number, length: number): Uint8Array {
  return Buffer.from(`key-${at}=`.padEnd(length, 'v'));
}

let isOver = false;
const taken = queues.map(() => 0);
const feeding = queues.map(async (queue, node) => {
  while (!isOver && (taken[node] as number) < queue.length) {
    if (submitted - watcher.committed > WINDOW) {
      await pause(POLL_MS / 5);
      continue;
    }
    const at = taken[node] as number;
    const batch = queue.slice(at, at + BATCH);
    taken[node] = at + batch.length;
    submitted += batch.length;
    await submit(order.rpcUrls[node] as string, batch);
  }
});
const watch = async (ms: number): Promise<void> => {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    await watcher.poll();
    await pause(POLL_MS);
  }
};
await watch(WARM_UP_MS);
const firstHeight = watcher.blocks.length;
const started = performance.now();
// A rate is taken from block to block, so some blocks are waited for where they are slow.
while (
  performance.now() - started < order.seconds * 1000 ||
  watcher.blocks.length - firstHeight <= MIN_BLOCKS
) {
  if (performance.now() - started > BUSY_LIMIT_MS) throw new Error('the validators decided too few blocks');
  await watch(POLL_MS);
}
const busy = watcher.blocks.slice(firstHeight);
const perSecond = rateOf(busy);
isOver = true;
await Promise.all(feeding);
await watcher.until(submitted);
await watch(IDLE_MS / 2);
const resting = watcher.blocks.length;
await watch(IDLE_MS);
const intervals = busy.slice(1).map(({ timeMs }, at) => timeMs - (busy[at] as BlockMeta).timeMs);
const sorted = [...intervals].sort((a, b) => a - b);
const report: LoadReport = {
  perSecond,
  transactionBytes,
  blocks: busy.length,
  decided: watcher.committed,
  medianIntervalMs: sorted[sorted.length >> 1] ?? 0,
  maxIntervalMs: sorted.at(-1) ?? 0,
  idleBlocks: watcher.blocks.length - resting,
};
console.log(JSON.stringify(report));
