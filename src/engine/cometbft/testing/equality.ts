import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Block } from '../../../ledger/index.ts';
import { toHex } from '../../../shared/index.ts';
import { embeddedRules, openEmbeddedEngine } from '../../embedded-engine.ts';
import type { Committed, Engine, Head } from '../../engine.ts';
import { openLedger } from '../../open-ledger.ts';
import { enrolment, type SampleChain, sampleSigner } from '../../sample-chain.ts';
import { Sequencer } from '../../sequencer.ts';
import { mapKey, memoryValues } from '../../state-values.ts';
import { folderStorage } from '../../storage.ts';
import { openSubmission } from '../../submission.ts';
import { openCometBftEngine } from '../cometbft-engine.ts';
import { AbciClient } from './abci-client.ts';
import { sampleConsortium, startLocalNetwork, until } from './local-network.ts';
import { PlayedConsensus } from './played-consensus.ts';
import { outcomeOf } from './random-rounds.ts';
import { ORGANISATIONS, randomTransactions } from './random-transactions.ts';

export type EqualityOptions = {
  readonly binary: string;
  readonly folder: string;
  readonly transactions: number;
  readonly roundSize: number;
  readonly seed: number;
  readonly progress: (line: string) => void;
};

/** What one way of running the transactions led to. */
export type EqualityRun = {
  readonly name: string;
  readonly outcomes: readonly string[];
  readonly head: Head;
  /** What the state holds, without the heights and times in it, which follow from how blocks were cut. */
  readonly state: ReadonlyMap<string, string>;
};

const MAX_DIFFERENCES = 10;
const NO_RPC = 'http://127.0.0.1:1';

/**
 * Gives the same random transactions to the embedded engine, to one validator and to four, real ones.
 *
 * A genesis names its validators, so the three have three chain ids, and the transactions differ in it and in their signatures. An
 * appHash covers the height, the time and the place of each transaction, so blocks that were cut elsewhere have other ones. So two
 * things are shown. (1) The blocks that each of the three made are run again, byte for byte and at their times, by the embedded
 * engine and by the application under ABCI: the results, the state root and the appHash of every block are the same. (2) Across the
 * three, what is said of each transaction, the number of leaves, and the state but for the heights and times in it are the same.
 */
export async function compareEngines(options: EqualityOptions): Promise<EqualityRun[]> {
  const runs = [await runEmbedded(options), await runValidators(options, 1), await runValidators(options, 4)];
  const [first, ...others] = runs as [EqualityRun, ...EqualityRun[]];
  for (const other of others) {
    const both = `${first.name} and ${other.name}`;
    assert.deepEqual(differences(first, other), [], `${both} say the same of every transaction`);
    assert.equal(other.head.logSize, first.head.logSize, `${both} recorded as many transactions`);
    assert.deepEqual(other.state, first.state, `${both} led to the same state`);
  }
  return runs;
}

/** The first transactions of which two runs say different things. */
function differences(one: EqualityRun, other: EqualityRun): string[] {
  return one.outcomes
    .flatMap((outcome, index) =>
      outcome === other.outcomes[index] ? [] : `transaction ${index}: ${outcome}, ${other.outcomes[index]}`,
    )
    .slice(0, MAX_DIFFERENCES);
}

async function runEmbedded(options: EqualityOptions): Promise<EqualityRun> {
  const chain = sampleConsortium([], ORGANISATIONS);
  const { genesis, operatorSeed } = chain;
  const folder = mkdtempSync(join(options.folder, 'embedded-'));
  const engine = await openEmbeddedEngine({ folder, genesis, operatorSeed, now: Date.now, verifyWorkers: 0 });
  try {
    return await runRounds('the embedded engine', [engine], chain, options);
  } finally {
    await engine.close();
  }
}

async function runValidators(options: EqualityOptions, size: number): Promise<EqualityRun> {
  const folder = mkdtempSync(join(options.folder, `network-${size}-`));
  const withoutValidator = ORGANISATIONS.slice(size - 1);
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const network = await startLocalNetwork(options.binary, { folder, size, withoutValidator, log });
  try {
    const { chain } = network;
    const engines = network.validators.map(({ engine }) => engine);
    const name = size === 1 ? 'one validator' : `${size} validators`;
    const run = await runRounds(name, engines, chain, options);
    assert.deepEqual(lines, [], 'nothing went wrong on the way');
    return run;
  } finally {
    await network.close();
  }
}

async function runRounds(
  name: string,
  engines: readonly Engine[],
  chain: SampleChain,
  options: EqualityOptions,
): Promise<EqualityRun> {
  const last = engines.at(-1) as Engine;
  const state = new Map<string, string>();
  last.onCommit((_block, _results, writes) => {
    for (const [key, value] of writes) state.set(mapKey(key), comparable(value));
  });
  const outcomes: string[] = [];
  const rounds = randomTransactions(chain, options.transactions, options.roundSize, options.seed);
  for (const [index, round] of rounds.entries()) {
    const asked = engines[index % engines.length] as Engine;
    outcomes.push(...(await Promise.all(round.map((bytes) => outcomeOf(asked.submit(bytes))))));
    const { height } = asked.head();
    await until('every node at the height', () => engines.every((one) => one.head().height === height));
  }
  await assertRecordedOnce(engines, chain);
  await assertOneChain(engines);
  await assertReplayed(last, chain, options.folder);
  const head = last.head();
  options.progress(
    `${name}: ${outcomes.length} transactions in ${rounds.length} rounds, ${head.logSize} recorded in ${head.height} blocks, appHash ${toHex(head.appHash)}`,
  );
  return { name, outcomes, head, state };
}

/**
 * A row's heights and times are at its end. Accounts and chains of records have none; an anchor has both, then how often its log was
 * declared lost, and the height of that.
 */
function comparable(value: Uint8Array | undefined): string {
  if (value === undefined) return 'none';
  const [account, chain, anchor] = [41, 40, 72];
  if (value.length === anchor)
    return `anchor ${toHex(value.subarray(0, 40))} ${toHex(value.subarray(56, 64))}`;
  const tail = value.length === account || value.length === chain ? 0 : 8;
  return `${value.length} ${toHex(value.subarray(0, value.length - tail))}`;
}

/** The same transaction, given to every node at once and again, is recorded once, and all give the same answer. */
async function assertRecordedOnce(engines: readonly Engine[], chain: SampleChain): Promise<void> {
  const bytes = enrolment(chain, sampleSigner(0, 'given to every node'));
  const before = (engines[0] as Engine).head().logSize;
  const both = [...engines, ...engines].map((engine) => engine.submit(bytes));
  const [first, ...others] = await Promise.all(both);
  for (const other of others) assert.deepEqual(other, first);
  for (const engine of engines) assert.deepEqual(await engine.submit(bytes), first);
  assert.equal((engines[0] as Engine).head().logSize, before + 1);
}

async function assertOneChain([first, ...others]: readonly Engine[]): Promise<void> {
  for await (const { block, head } of (first as Engine).blocks()) {
    for (const other of others) {
      const same = await other.block(block.height);
      assert.equal(
        toHex(same?.head.appHash ?? new Uint8Array()),
        toHex(head.appHash),
        `block ${block.height}`,
      );
    }
  }
}

/** Runs an engine's blocks again as the embedded engine does, and in a new application under ABCI; each leads to the same. */
async function assertReplayed(engine: Engine, chain: SampleChain, parent: string): Promise<void> {
  const embedded = await openEmbeddedReplay(chain, mkdtempSync(join(parent, 'replay-')));
  const folder = mkdtempSync(join(parent, 'abci-'));
  const { genesis, operatorSeed: nodeSeed } = chain;
  const log = (): void => undefined;
  const application = await openCometBftEngine({
    folder,
    genesis,
    nodeSeed,
    rpcUrl: NO_RPC,
    log,
    verifyWorkers: 0,
  });
  const consensus = new PlayedConsensus(await AbciClient.open(join(folder, 'abci.sock')), chain);
  try {
    await consensus.initChain();
    for await (const { block, results, head } of engine.blocks()) {
      const where = `block ${block.height}`;
      const codes = results.map(({ code }) => code);
      const again = await embedded.run(block);
      assert.deepEqual(
        again.map(({ height, index, code }) => [height, index, code]),
        codes.map((code, index) => [block.height, index, code]),
      );
      const played = await consensus.block([...block.transactions], block.timeMs);
      assert.deepEqual(played, { codes, appHash: toHex(head.appHash) }, where);
      for (const same of [embedded.seal(), application.head()]) {
        assert.equal(toHex(same.stateRoot), toHex(head.stateRoot), `state root of ${where}`);
        assert.equal(toHex(same.appHash), toHex(head.appHash), `appHash of ${where}`);
      }
    }
  } finally {
    consensus.client.close();
    await application.close();
    await embedded.close();
  }
}

/** The embedded engine without its queue, which cuts blocks by when signatures were checked: a block is what it is given at once. */
async function openEmbeddedReplay(chain: SampleChain, folder: string) {
  const rules = embeddedRules(chain.genesis, chain.operatorSeed);
  const values = memoryValues();
  const { log, state } = await openLedger(folderStorage(folder), rules, () => ({
    values,
    snapshot: undefined,
  }));
  let nowMs = 0;
  const sequencer = new Sequencer({ log, state, rules, now: () => nowMs });
  return {
    run: ({ timeMs, transactions }: Block): Promise<Committed[]> => {
      nowMs = timeMs;
      const submissions = transactions.map(openSubmission);
      for (const submission of submissions) {
        sequencer.enqueue(submission);
        // There is a verdict but no key that it was found with, so the block checks the signature itself.
        submission.verdict = false;
      }
      sequencer.wake();
      return Promise.all(submissions.map(({ settled }) => settled.promise));
    },
    seal: () => state.seal,
    close: () => log.close(),
  };
}

/** How often each outcome was. */
export function countOutcomes(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of [...outcomes].sort()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
