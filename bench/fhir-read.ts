import { type BenchCase, type BenchOptions, rateCase } from './bench-case.ts';
import { measureRate, startBenchServer } from './http-load.ts';

const GOAL = 0.4;
const WARM_UP_SECONDS = 2;

/** A read with session, consent decision, decryption and durable audit, against a bare Fastify that returns a constant. */
export async function run({ seconds, rounds, progress }: BenchOptions): Promise<BenchCase[]> {
  const ours: number[] = [];
  const peer: number[] = [];
  const fastify = await startBenchServer('./fastify-server.ts');
  const care = await startBenchServer('./care-server.ts');
  const [theirs, own] = [fastify.targets.read, care.targets.read];
  if (theirs === undefined || own === undefined)
    throw new Error('A server under test did not name its target.');
  try {
    await measureRate(own, WARM_UP_SECONDS);
    for (let round = 1; round <= rounds; round += 1) {
      peer.push((await measureRate(theirs, seconds)).rate);
      const measured = await measureRate(own, seconds);
      ours.push(measured.rate);
      progress(
        `   ${measured.rate.toFixed(0)} reads/s, p99 ${measured.p99Ms} ms; Fastify ${peer.at(-1)?.toFixed(0)}/s`,
      );
    }
  } finally {
    await care.stop();
    await fastify.stop();
  }
  return [rateCase('FHIR read vs. bare Fastify', 'req/s', ours, peer, GOAL)];
}
