import { execFile } from 'node:child_process';
import { constants, promises as fs } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../../shared/index.ts';

export const COMETBFT_VERSION = '0.38.25';
const MODULE = `github.com/cometbft/cometbft/cmd/cometbft@v${COMETBFT_VERSION}`;
const BUILD_TIMEOUT_MS = 30 * 60 * 1000;
const VERSION_TIMEOUT_MS = 20_000;
const NAME = process.platform === 'win32' ? 'cometbft.exe' : 'cometbft';
const run = promisify(execFile);

type FindOptions = {
  readonly log: (line: string) => void;
  /** Where a binary that is built here is kept. */
  readonly cacheFolder?: string;
  /** The folders to look in; those of PATH unless said otherwise. */
  readonly path?: string;
  /** False where nothing is to be built, only found. */
  readonly mayBuild?: boolean;
};

/** CometBFT of the one version that this software runs with: found on the PATH, or built once from its module and kept. */
export async function findCometBft(options: FindOptions): Promise<string> {
  const { log, path = process.env['PATH'] ?? '', mayBuild = true } = options;
  const cache = options.cacheFolder ?? defaultCache();
  const seen: string[] = [];
  for (const candidate of [...inFolders(path, NAME), join(cache, NAME)]) {
    const version = await versionOf(candidate);
    if (version === COMETBFT_VERSION) return candidate;
    if (version !== undefined) seen.push(`${candidate} is version ${version}`);
  }
  for (const line of seen) log(`${line}; version ${COMETBFT_VERSION} is needed.`);
  const go = await firstExecutable(inFolders(path, process.platform === 'win32' ? 'go.exe' : 'go'));
  if (go === undefined || !mayBuild) throw notToBeHad(seen, undefined);
  return build(go, cache, log);
}

/** The checksum database of Go's modules vouches for the sources; no C compiler is needed. */
async function build(go: string, cache: string, log: (line: string) => void): Promise<string> {
  log(`Building CometBFT ${COMETBFT_VERSION} into ${cache}. This takes some minutes, once.`);
  await fs.mkdir(cache, { recursive: true });
  const env = { ...process.env, CGO_ENABLED: '0', GOBIN: cache, GOFLAGS: '-trimpath' };
  try {
    await run(go, ['install', MODULE], { env, timeout: BUILD_TIMEOUT_MS });
  } catch (cause) {
    throw notToBeHad([], cause);
  }
  const binary = join(cache, NAME);
  const version = await versionOf(binary);
  if (version !== COMETBFT_VERSION) throw notToBeHad([`${binary} is version ${version}`], undefined);
  return binary;
}

async function versionOf(binary: string): Promise<string | undefined> {
  if ((await firstExecutable([binary])) === undefined) return undefined;
  try {
    const { stdout } = await run(binary, ['version'], { timeout: VERSION_TIMEOUT_MS });
    return stdout.trim().replace(/^v/, '');
  } catch {
    return 'unknown';
  }
}

async function firstExecutable(candidates: readonly string[]): Promise<string | undefined> {
  for (const candidate of candidates) {
    const isThere = await fs.access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return candidate;
  }
  return undefined;
}

function inFolders(path: string, name: string): string[] {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name));
}

function defaultCache(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(base, 'careledger', `cometbft-${COMETBFT_VERSION}`);
}

function notToBeHad(seen: readonly string[], cause: unknown): AppError {
  const found = seen.length === 0 ? '' : ` Found: ${seen.join('; ')}.`;
  return new AppError(
    'unavailable',
    `CometBFT ${COMETBFT_VERSION} is neither on the PATH nor could it be built here.${found} ` +
      `Put its binary on the PATH, or install Go 1.22.11 or later and see that modules can be fetched: CGO_ENABLED=0 go install ${MODULE}`,
    cause === undefined ? {} : { cause },
  );
}
