import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { auditFolder, dataFolder, isMember, type NodeFinding, restoreNode } from '../../node/index.ts';
import { AppError } from '../../shared/index.ts';
import { type AdminClient, adminClient } from '../admin-client.ts';
import { printable } from '../printable.ts';
import type { Terminal } from '../terminal.ts';
import { addKeysCommand } from './keys.ts';
import { dataOption, vaultOption } from './options.ts';

const PARALLEL_IMPORTS = 6;

/** `import`, `keys`, `erase`, `audit`, `backup`, `restore`: what the operator of a node does. */
export function addAdministration(program: Command, terminal: Terminal): void {
  program
    .command('import')
    .description(
      'load FHIR bundles into the running node; importing again changes nothing that was put, or created under a fullUrl',
    )
    .argument('<files...>', 'Bundles as JSON')
    .addOption(dataOption())
    .action((files: string[], options: { data: string }) => importFiles(files, options, terminal));
  addKeysCommand(program, terminal);
  program
    .command('erase')
    .description('destroy a record, or a patient with everything about them; proofs of it still verify')
    .argument('<reference>', 'Type/id, or Patient/id')
    .addOption(dataOption())
    .requiredOption('--yes', 'it cannot be undone')
    .action((reference: string, options: { data: string }) => erase(reference, options, terminal));
  program
    .command('audit')
    .description(
      'check every byte of ledger and vault, of a running or a stopped node, and name what is damaged or missing',
    )
    .addOption(dataOption())
    .addOption(vaultOption('postgres://… when the vault of a stopped node is there'))
    .action((options: { data: string; vault?: string }) => audit(options, terminal));
  program
    .command('backup')
    .description('copy the running node to a new folder, with a manifest of every 64 KiB')
    .argument('<folder>', 'a folder that does not exist yet')
    .addOption(dataOption())
    .action(async (folder: string, options: { data: string }) => {
      const done = await clientOf(options.data).stream('/admin/backup', { folder: resolve(folder) }, (line) =>
        tellProgress(line, terminal),
      );
      terminal.answer(
        done,
        `Backed up to ${folder}, height ${String(done.height)}. Keys are not in it: keep a copy of ${join(options.data, 'keys')} elsewhere, made since the last erasure. An older one does not open this backup.`,
      );
    });
  program
    .command('restore')
    .description('make a new data folder from a backup; nothing is overwritten')
    .argument('<backup>', 'folder of the backup')
    .requiredOption('-d, --data <folder>', 'the new data folder')
    .option('--keys <folder>', 'keys of the node that was backed up', './data/keys')
    .addOption(vaultOption('postgres://… to restore the vault there, into an empty database'))
    .action((backup: string, options: { data: string; keys: string; vault?: string }) =>
      restore(backup, options, terminal),
    );
}

/** What is erased here can still be had with an older copy of the keys, and only its owner can reach that. */
async function erase(reference: string, options: { data: string }, terminal: Terminal): Promise<void> {
  const record = await clientOf(options.data).call('POST', '/admin/erase', { reference });
  const { vaultKeys } = dataFolder(options.data);
  terminal.answer(
    { ...record, replaceCopiesOf: vaultKeys },
    [
      `Erased ${(record.commitments as unknown[]).length} versions. The keys here open no backup from before: take a new one.`,
      `A copy of ${vaultKeys} made before still opens them: replace every copy now, and destroy the older ones.`,
    ].join('\n'),
  );
}

function clientOf(data: string): AdminClient {
  return adminClient(dataFolder(data).adminSocket);
}

async function importFiles(files: string[], options: { data: string }, terminal: Terminal): Promise<void> {
  const client = clientOf(options.data);
  const total = { files: 0, created: 0, updated: 0, unchanged: 0 };
  const startedMs = performance.now();
  const importFile = async (file: string): Promise<void> => {
    const result = await client.call('POST', '/admin/import', readBundle(file)).catch((error: unknown) => {
      throw error instanceof AppError
        ? new AppError(error.code, `${basename(file)}: ${error.message}`)
        : error;
    });
    total.files++;
    for (const name of ['created', 'updated', 'unchanged'] as const) total[name] += Number(result[name] ?? 0);
    terminal.progress(
      `${total.files}/${files.length} files, ${sum(total)} resources, ${rate(sum(total), startedMs)}/s`,
    );
  };
  // Side by side, so that they share the waits for the disk.
  const waiting = [...files];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await importFile(file);
  };
  await Promise.all(Array.from({ length: PARALLEL_IMPORTS }, worker));
  terminal.answer(
    { ...total, perSecond: rate(sum(total), startedMs) },
    `Imported ${sum(total)} resources from ${total.files} files: ${total.created} new, ${total.updated} changed, ${total.unchanged} as they were (${rate(sum(total), startedMs)}/s).`,
  );
}

function sum({
  created,
  updated,
  unchanged,
}: {
  created: number;
  updated: number;
  unchanged: number;
}): number {
  return created + updated + unchanged;
}

function rate(count: number, startedMs: number): number {
  return Math.round(count / Math.max(0.001, (performance.now() - startedMs) / 1000));
}

function readBundle(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new AppError('malformed-json', `${file} cannot be read as JSON.`, { cause });
  }
}

function describeFinding({ severity, where, what }: NodeFinding): string {
  return `${severity === 'damage' ? 'DAMAGED' : 'note'}  ${printable(where)}: ${printable(what)}`;
}

async function audit(options: { data: string; vault?: string }, terminal: Terminal): Promise<void> {
  const findings: NodeFinding[] = [];
  const onLine = (line: Record<string, unknown>): void => {
    if (line.finding === undefined) return void tellProgress(line, terminal);
    const finding = line.finding as NodeFinding;
    findings.push(finding);
    // At once: what comes later may be too damaged to be walked to its end.
    if (!terminal.json) terminal.answer(finding, describeFinding(finding));
  };
  const summary = await clientOf(options.data)
    .stream('/admin/audit', {}, onLine)
    .catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'node-not-running') throw error;
      const passphrase = process.env.CARELEDGER_PASSPHRASE;
      return auditFolder(
        { path: options.data, passphrase, ...(options.vault !== undefined && { vaultUrl: options.vault }) },
        onLine,
      );
    });
  const damaged = Number(summary.damaged);
  const verdict =
    damaged === 0
      ? 'Ledger and vault are whole.'
      : `${damaged} damaged or missing ${damaged === 1 ? 'piece' : 'pieces'}.`;
  terminal.answer({ ok: damaged === 0, findings }, verdict);
  if (damaged > 0)
    throw new AppError(
      'damaged',
      'Stop the node, keep this folder for inquiry, and restore the last backup to a new one.',
    );
}

async function restore(
  backup: string,
  options: { data: string; keys: string; vault?: string },
  terminal: Terminal,
): Promise<void> {
  const passphrase = process.env.CARELEDGER_PASSPHRASE;
  await restoreNode({
    backup,
    target: options.data,
    keys: options.keys,
    passphrase,
    ...(options.vault !== undefined && { vaultUrl: options.vault }),
  });
  terminal.answer(
    { data: options.data },
    isMember(options.data)
      ? `Restored to ${options.data}, without the ledger, which comes from the other members. What to do next: docs/operations.md, "A member whose machine is lost".`
      : `Restored to ${options.data}. Check it with: careledger audit --data ${options.data}`,
  );
}

function tellProgress(line: Record<string, unknown>, terminal: Terminal): void {
  if (line.progress === undefined) return;
  const { progress, done, total } = line;
  terminal.progress(
    `${String(progress)}${done === undefined ? '' : ` ${String(done)}`}${total === undefined ? '' : ` of ${String(total)}`}`,
  );
}
