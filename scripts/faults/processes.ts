import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const RM_RETRIES = 5;
const running = new Set<ChildProcess>();
const folders = new Set<string>();

/** Takes care that a process does not outlive the campaign, however that ends. */
export function track(child: ChildProcess): ChildProcess {
  running.add(child);
  child.once('exit', () => running.delete(child));
  // One that could not be started has ended for whoever asks it.
  child.on('error', () => undefined);
  return child;
}

/** A folder for one schedule, gone when the campaign is. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-faults-'));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: RM_RETRIES });
  folders.delete(folder);
}

/** A stopped process cannot end by itself, and one that is killed need not be asked. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

export function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** Ctrl-C, a closed terminal and an error all end in `exit`; there everything is taken away. */
export function cleanUpAtExit(keepFolders: boolean): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    process.once(signal, () => process.exit(code));
  process.on('exit', () => {
    killAll();
    if (!keepFolders) for (const folder of folders) removeFolder(folder);
  });
}
