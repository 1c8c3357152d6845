import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bundle } from '@medplum/fhirtypes';
import { type BenchCase, type BenchOptions, rateCase } from './bench-case.ts';
import { startBenchServer } from './http-load.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../shared/data/synthea-r4');
const GOAL_PER_SECOND = 2000;
const AT_ONCE = 4;

/** Transactions of real-looking records over HTTP, against the rate that was asked for. */
export async function run({ progress }: BenchOptions): Promise<BenchCase[]> {
  if (!existsSync(folder)) {
    progress('   the Synthea set is not here (../shared/data/synthea-r4); nothing was measured');
    return [];
  }
  const care = await startBenchServer('./care-server.ts');
  const target = care.targets.create;
  if (target === undefined) throw new Error('The server under test did not name its target.');
  const base = target.url.replace('/Observation', '');
  const bundles = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => readFileSync(join(folder, file), 'utf8'));
  const resources = bundles.reduce((sum, text) => sum + ((JSON.parse(text) as Bundle).entry?.length ?? 0), 0);
  try {
    const start = performance.now();
    await sendAll(base, target.headers ?? {}, bundles);
    const rate = resources / ((performance.now() - start) / 1000);
    progress(`   ${resources} resources, ${rate.toFixed(0)}/s`);
    return [rateCase('Synthea import', 'resources/s', [rate], [GOAL_PER_SECOND], 1)];
  } finally {
    await care.stop();
  }
}

async function sendAll(
  base: string,
  headers: Record<string, string>,
  bundles: readonly string[],
): Promise<void> {
  const waiting = [...bundles];
  const worker = async () => {
    for (let body = waiting.pop(); body !== undefined; body = waiting.pop()) {
      const reply = await fetch(base, { method: 'POST', headers, body });
      if (!reply.ok) throw new Error(`A bundle gave ${reply.status}: ${(await reply.text()).slice(0, 400)}`);
      await reply.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
