/**
 * `npm run campaign:equality -- [--transactions N] [--round-size N] [--seed S]`: the same random transactions on the embedded engine, on
 * one validator and on four, which must say the same of each and lead to the same state; and every block run again by each adapter.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareEngines, countOutcomes } from '../src/engine/cometbft/testing/equality.ts';
import { findCometBft } from '../src/engine/index.ts';
import { commandLine, wholeNumber } from './command-line.ts';

const { values } = commandLine(
  'npm run campaign:equality -- [--transactions N] [--round-size N] [--seed S]',
  {
    transactions: { type: 'string', default: '10000' },
    'round-size': { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
  },
);
const transactions = wholeNumber('transactions', values.transactions, 1);
const roundSize = wholeNumber('round-size', values['round-size'], 1);
const seed = wholeNumber('seed', values.seed);

const folder = mkdtempSync(join(tmpdir(), 'careledger-equality-'));
try {
  const runs = await compareEngines({
    binary: await findCometBft({ log: (line) => console.error(line) }),
    folder,
    transactions,
    roundSize,
    seed,
    progress: (line) => console.log(line),
  });
  console.log(countOutcomes(runs[0]?.outcomes ?? []));
  console.log(
    'The same results and the same state everywhere, and the same appHash for every block on both engines.',
  );
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : cause);
  console.error(
    `Repeat: npm run campaign:equality -- --transactions ${values.transactions} --seed ${values.seed}`,
  );
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
