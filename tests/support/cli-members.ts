import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PASSPHRASE } from '../node-fixture.ts';
import { runHere, startCli } from './run-cli.ts';

/** Organisations of one network, each with a folder of its own, as the command line makes and runs them. */
export type CliMembers = {
  readonly env: Record<string, string>;
  at(name: string): string;
  /** What a command answers with `--json`; it has to succeed. */
  json(...words: readonly string[]): Promise<Record<string, unknown>>;
  /** Makes an organisation's keys and card; `ports` are those of its CometBFT: for peers, and for its RPC. */
  prepare(name: string, ports: readonly number[]): Promise<void>;
  /** Starts its node and gives its address. */
  start(name: string, ...options: readonly string[]): Promise<string>;
  /** Ends its node. */
  stop(name: string): Promise<void>;
  cardFile(name: string): string;
  cardOf(name: string): Record<string, string>;
  /** Ends every node and removes every folder. */
  remove(): Promise<void>;
};

export function cliMembers(prefix: string): CliMembers {
  const root = mkdtempSync(join(tmpdir(), prefix));
  const at = (name: string): string => join(root, name);
  const env = { CARELEDGER_HOME: at('home'), CARELEDGER_PASSPHRASE: PASSPHRASE };
  const running = new Map<string, { stop: () => Promise<void> }>();
  const json = async (...words: readonly string[]): Promise<Record<string, unknown>> => {
    const run = await runHere([...words, '--json'], env);
    assert.equal(run.status, 0, `${words.join(' ')}: ${run.stderr}`);
    return JSON.parse(run.stdout) as Record<string, unknown>;
  };
  const cardFile = (name: string): string => join(at(name), 'network-card.json');
  return {
    env,
    at,
    json,
    async prepare(name, ports) {
      const address = `127.0.0.1:${ports[0]}`;
      const places = ['--address', address, '--listen', address, '--rpc-port', String(ports[1])];
      await json('network', 'init', '--data', at(name), '--name', name, ...places);
    },
    async start(name, ...options) {
      const node = await startCli(['network', 'start', '--data', at(name), '--port', '0', ...options], env);
      running.set(name, node);
      return node.facts.url as string;
    },
    stop: async (name) => running.get(name)?.stop(),
    cardFile,
    cardOf: (name) => JSON.parse(readFileSync(cardFile(name), 'utf8')) as Record<string, string>,
    async remove() {
      await Promise.all([...running.values()].map((one) => one.stop()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}
