/**
 * Records vectors/consensus/light-blocks.json: what a real CometBFT answers at /genesis, /commit and /validators. Four validators and
 * two further nodes run its own `kvstore` application; then validators are exchanged one by one until the last set shares less than
 * a third of its power with the first. Needs `cometbft` v0.38.25 on the PATH or in COMETBFT.
 *
 *     node scripts/record-consensus-vectors.ts
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const BINARY = process.env.COMETBFT ?? 'cometbft';
const VERSION = '0.38.25';
const NODES = 6;
const FIRST_PORT = 36_800;
const CHAIN = 'careledger-vectors';
const TIMEOUT_MS = 120_000;
const OUTPUT = join(import.meta.dirname, '../vectors/consensus/light-blocks.json');

type Key = { readonly pub_key: { readonly value: string } };
type Status = { sync_info: { latest_block_height: string } };
type Genesis = { genesis: { chain_id: string; genesis_time: string; validators: unknown[] } };

async function record(folder: string): Promise<void> {
  createNetwork(folder);
  const nodes = Array.from({ length: NODES }, (_, node) => startNode(folder, node));
  try {
    await untilHeight(3);
    for (const [added, removed] of [
      [4, 0],
      [5, 1],
      [undefined, 2],
    ] as const) {
      if (added !== undefined) await changePower(folder, added, 1);
      await changePower(folder, removed, 0);
    }
    const last = (await height()) + 3;
    await untilHeight(last + 1);
    await save(last);
  } finally {
    await Promise.all(nodes.map(stopNode));
  }
}

function createNetwork(folder: string): void {
  execFileSync(BINARY, ['testnet', '--v', '4', '--n', '2', '--o', folder], { stdio: 'ignore' });
  const ids = Array.from({ length: NODES }, (_, node) =>
    execFileSync(BINARY, ['show-node-id', '--home', home(folder, node)], { encoding: 'utf8' }).trim(),
  );
  const peers = ids.map((id, node) => `${id}@127.0.0.1:${portOf(node)}`);
  for (let node = 0; node < NODES; node += 1) {
    configure(folder, node, peers.filter((_, index) => index !== node).join());
    const file = join(home(folder, node), 'config/genesis.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), chain_id: CHAIN }));
  }
}

function configure(folder: string, node: number, peers: string): void {
  const file = join(home(folder, node), 'config/config.toml');
  const settings: readonly (readonly [RegExp, string])[] = [
    [/^persistent_peers = .*$/m, `persistent_peers = "${peers}"`],
    [/^laddr = "tcp:\/\/127.0.0.1:26657"$/m, `laddr = "tcp://127.0.0.1:${portOf(node) + 100}"`],
    [/^laddr = "tcp:\/\/0.0.0.0:26656"$/m, `laddr = "tcp://127.0.0.1:${portOf(node)}"`],
    [/^timeout_commit = .*$/m, 'timeout_commit = "200ms"'],
    [/^allow_duplicate_ip = .*$/m, 'allow_duplicate_ip = true'],
    [/^addr_book_strict = .*$/m, 'addr_book_strict = false'],
    [/^pprof_laddr = .*$/m, 'pprof_laddr = ""'],
  ];
  let text = readFileSync(file, 'utf8');
  for (const [pattern, line] of settings) {
    if (!pattern.test(text)) throw new Error(`${file} has no line ${pattern}`);
    text = text.replace(pattern, line);
  }
  writeFileSync(file, text);
}

function startNode(folder: string, node: number): ChildProcess {
  return spawn(BINARY, ['start', '--home', home(folder, node), '--proxy_app', 'kvstore'], {
    stdio: 'ignore',
  });
}

async function stopNode(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(5000).then(() => child.kill('SIGKILL'))]);
}

async function changePower(folder: string, node: number, power: number): Promise<void> {
  const file = join(home(folder, node), 'config/priv_validator_key.json');
  const { value } = (JSON.parse(readFileSync(file, 'utf8')) as Key).pub_key;
  const tx = Buffer.from(`val=ed25519!${value}!${power}`).toString('hex');
  await rpc(`broadcast_tx_commit?tx=0x${tx}`);
  await untilHeight((await height()) + 3);
}

async function save(last: number): Promise<void> {
  const { genesis } = (await rpc('genesis')) as Genesis;
  const { chain_id, genesis_time, validators } = genesis;
  const blocks = [];
  for (let at = 1; at <= last; at += 1) {
    blocks.push({
      commit: await rpc(`commit?height=${at}`),
      validators: await rpc(`validators?height=${at}&per_page=100`),
    });
  }
  const source = `CometBFT v${VERSION}, kvstore, by scripts/record-consensus-vectors.ts`;
  const vectors = { source, genesis: { chain_id, genesis_time, validators }, blocks };
  mkdirSync(join(OUTPUT, '..'), { recursive: true });
  writeFileSync(OUTPUT, `${JSON.stringify(vectors, null, 1)}\n`);
  console.log(`${blocks.length} blocks are in ${OUTPUT}.`);
}

async function height(): Promise<number> {
  const { sync_info } = (await rpc('status')) as Status;
  return Number(sync_info.latest_block_height);
}

async function untilHeight(wanted: number): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while ((await height().catch(() => 0)) < wanted) {
    if (Date.now() > deadline) throw new Error(`The network did not come to height ${wanted}.`);
    await sleep(100);
  }
}

/** The third node is never removed, so it answers until the end. */
async function rpc(query: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${portOf(3) + 100}/${query}`);
  const { result, error } = (await response.json()) as { result?: unknown; error?: unknown };
  if (result === undefined) throw new Error(`/${query} failed: ${JSON.stringify(error)}`);
  return result;
}

function home(folder: string, node: number): string {
  return join(folder, `node${node}`);
}

function portOf(node: number): number {
  return FIRST_PORT + node;
}

const version = execFileSync(BINARY, ['version'], { encoding: 'utf8' }).trim();
if (version !== VERSION) throw new Error(`This is CometBFT ${version}; the vectors are of ${VERSION}.`);
const folder = mkdtempSync(join(tmpdir(), 'careledger-vectors-'));
try {
  await record(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
