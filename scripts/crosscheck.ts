/**
 * `npm run crosscheck -- [--validators N] [--seed S]`: lets code that is not ours judge a ledger of ours. A consortium on CometBFT
 * records random transactions; then transparency-dev/merkle checks the proofs of its history and CometBFT's own light client its
 * blocks, the true ones and tampered ones. Needs Go, and CometBFT or a network to build it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rpcSource } from '../src/client/index.ts';
import { cometBftOrReason, startLocalNetwork, until } from '../src/engine/cometbft/testing/local-network.ts';
import { randomRounds, submitRounds } from '../src/engine/cometbft/testing/random-rounds.ts';
import type { Engine } from '../src/engine/index.ts';
import type { LightBlock } from '../src/ledger/index.ts';
import { commandLine, wholeNumber } from './command-line.ts';
import { buildProgram, findGo } from './crosscheck/go-program.ts';
import { checkLight } from './crosscheck/light-check.ts';
import { changedCases, foreignFindings, merkleCases } from './crosscheck/merkle-check.ts';

const ROUNDS = 12;
const ROUND_SIZE = 25;
const TAMPERINGS = 1000;

const { values } = commandLine('npm run crosscheck -- [--validators N, at most 10] [--seed S]', {
  validators: { type: 'string', default: '4' },
  seed: { type: 'string', default: '1' },
});
const size = Math.min(10, wholeNumber('validators', values.validators, 1));
const seed = wholeNumber('seed', values.seed);
const [go, found] = await Promise.all([findGo(), cometBftOrReason()]);
if (go === undefined || 'reason' in found) {
  console.error(
    go === undefined
      ? 'There is no Go to build the foreign verifiers with.'
      : (found as { reason: string }).reason,
  );
  process.exit(6);
}

const folder = mkdtempSync(join(tmpdir(), 'careledger-crosscheck-'));
try {
  console.log('Building the foreign verifiers. The first time this takes some minutes.');
  const merkle = await buildProgram(go, 'merkle', folder);
  const light = await buildProgram(go, 'light', folder);
  const failures = await crosscheck(found.binary, merkle, light);
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  console.log(
    failures.length === 0 ? 'Both agree with ours in everything.' : `${failures.length} differences.`,
  );
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function crosscheck(binary: string, merkle: string, light: string): Promise<readonly string[]> {
  const network = await startLocalNetwork(binary, { folder: join(folder, 'network'), size });
  try {
    const engines = network.validators.map(({ engine }) => engine);
    for (const [index, round] of randomRounds(network.chain, ROUNDS, ROUND_SIZE, seed).entries()) {
      const asked = engines[index % engines.length] as Engine;
      await submitRounds([asked], [round]);
      const { height } = asked.head();
      await until('every node at the height', () => engines.every((one) => one.head().height === height));
    }
    const [{ rpcUrl }] = network.validators as [(typeof network.validators)[number]];
    const blocks = await blocksOf(rpcUrl);
    const { failures, ...report } = await checkLight(light, blocks, TAMPERINGS, seed);
    console.log('light client:', JSON.stringify(report));
    return [...(await merkleFailures(merkle, engines[0] as Engine)), ...failures];
  } finally {
    await network.close();
  }
}

async function merkleFailures(program: string, engine: Engine): Promise<readonly string[]> {
  const cases = await merkleCases(engine);
  const changed = changedCases(cases);
  const right = await foreignFindings(program, cases);
  const wrong = await foreignFindings(program, changed);
  const counts = {
    leaves: cases.leaves.length,
    inclusion: right.inclusion.length,
    consistency: right.consistency.length,
  };
  console.log(
    'merkle:',
    JSON.stringify({ ...counts, changed: wrong.inclusion.length + wrong.consistency.length }),
  );
  const refused = Object.entries(right).filter(([, said]) => !said.every(Boolean));
  const accepted = [wrong.inclusion, wrong.consistency].filter((said) => said.some(Boolean));
  return [
    ...refused.map(([name]) => `transparency-dev/merkle refuses some ${name} of ours`),
    ...accepted.map(() => 'transparency-dev/merkle accepts a changed proof'),
  ];
}

/** Every block that the consensus engine has. */
async function blocksOf(rpcUrl: string): Promise<readonly LightBlock[]> {
  const source = rpcSource('this node', async (path) => {
    const answer = (await (await fetch(`${rpcUrl}/${path}`)).json()) as { result?: unknown };
    return answer.result;
  });
  const blocks: LightBlock[] = [];
  for (let height = 1; ; height += 1) {
    const block = await source.lightBlock(height);
    if (block === undefined) return blocks;
    blocks.push(block);
  }
}
