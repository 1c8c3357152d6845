import { execFile, spawn } from 'node:child_process';
import { constants, promises as fs } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BUILD_TIMEOUT_MS = 20 * 60_000;
const RUN_TIMEOUT_MS = 120_000;
const FALLBACKS = ['/usr/local/go/bin', join(homedir(), 'go/bin')];

/** The Go command, or undefined where there is none. */
export async function findGo(): Promise<string | undefined> {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...FALLBACKS]) {
    const candidate = join(folder, 'go');
    const isThere = await fs.access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return candidate;
  }
  return undefined;
}

/** Builds one of the programs beside this file; its go.sum names the sources that are taken. */
export async function buildProgram(go: string, name: 'merkle' | 'light', folder: string): Promise<string> {
  const program = join(folder, `careledger-crosscheck-${name}`);
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' };
  const options = { cwd: join(import.meta.dirname, name), env, timeout: BUILD_TIMEOUT_MS };
  await run(go, ['build', '-o', program, '.'], options);
  return program;
}

/** Gives a program its question in JSON and reads its answer. Bytes go as base64, as Go's encoding/json has them. */
export async function askProgram<Answer>(program: string, question: unknown): Promise<Answer> {
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'pipe'], timeout: RUN_TIMEOUT_MS });
  const texts = [child.stdout, child.stderr].map(async (stream) => Buffer.concat(await stream.toArray()));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  child.stdin.end(JSON.stringify(question, bytesAsBase64));
  const [stdout, stderr, code] = await Promise.all([texts[0], texts[1], ended]);
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr?.toString('utf8')}`);
  return JSON.parse(stdout?.toString('utf8') ?? '') as Answer;
}

function bytesAsBase64(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
