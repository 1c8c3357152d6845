import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CometBftProcess, runCometBft } from './cometbft-process.ts';

const SKIP = process.platform === 'win32' ? 'needs a POSIX shell' : false;

/** Runs a program in place of CometBFT until it has been told of what the pattern says. */
async function runUntilTold(script: string, pattern: RegExp): Promise<{ lines: string[]; output: string }> {
  const home = mkdtempSync(join(tmpdir(), 'careledger-process-'));
  const binary = join(home, 'program');
  writeFileSync(binary, `#!/bin/sh\n${script}\n`, { mode: 0o700 });
  const lines: string[] = [];
  let running: CometBftProcess | undefined;
  try {
    await new Promise<void>((resolve) => {
      running = runCometBft(binary, home, (line) => {
        lines.push(line);
        if (pattern.test(line)) resolve();
      });
    });
    await running?.stop();
    return { lines, output: readFileSync(join(home, 'cometbft.log'), 'utf8') };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

test('says once that CometBFT takes part in no further block, though it runs on', {
  skip: SKIP,
}, async () => {
  const script =
    'printf "E[12:00] CONSENSUS FAIL"; sleep 0.2; printf "URE!!! err=x\\nCONSENSUS FAILURE!!!\\n"; exec sleep 60';
  const { lines, output } = await runUntilTold(script, /no further block/);
  assert.equal(lines.length, 1);
  assert.match(output, /CONSENSUS FAILURE!!! err=x/);
});

test('says that CometBFT ended, and starts it again', { skip: SKIP }, async () => {
  const script = 'if [ -e "$3/second" ]; then exit 4; fi; touch "$3/second"; exit 3';
  const { lines } = await runUntilTold(script, /\(4\)/);
  assert.match(lines[0] ?? '', /^CometBFT ended \(3\); it is started again in 500 ms/);
  assert.match(lines[1] ?? '', /^CometBFT ended \(4\); it is started again in 1000 ms/);
});
