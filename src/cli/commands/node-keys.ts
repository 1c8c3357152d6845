import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { changePassphrase, dataFolder, rotateRoot } from '../../node/index.ts';
import { readNewSecret, readSecret } from '../secrets.ts';
import type { Terminal } from '../terminal.ts';
import { passphrase } from './node.ts';
import { dataOption, vaultOption } from './options.ts';

/** `keys change-passphrase`, `keys rotate-root`: for the keys of a node, which has to be stopped. */
export function addNodeKeys(keys: Command, terminal: Terminal): void {
  keys
    .command('change-passphrase')
    .description('put the keys of a stopped node under a new passphrase')
    .addOption(dataOption())
    .option(
      '--new-file <file>',
      'file that holds the new one; otherwise CARELEDGER_NEW_PASSPHRASE, or typed twice',
    )
    .action((options: { data: string; newFile?: string }) => change(options, terminal));
  keys
    .command('rotate-root')
    .description('put new keys over the vault of a stopped node; they open no backup taken before')
    .addOption(dataOption())
    .addOption(vaultOption('postgres://… when the vault is there'))
    .requiredOption('--yes', 'no backup taken before can be opened any more')
    .action((options: { data: string; vault?: string }) => rotate(options, terminal));
}

async function change(options: { data: string; newFile?: string }, terminal: Terminal): Promise<void> {
  const { keys, passphrase: file } = dataFolder(options.data);
  const present = await presentPassphrase(options.data);
  const next = await readNewSecret('New passphrase', {
    file: options.newFile,
    variable: 'CARELEDGER_NEW_PASSPHRASE',
  });
  const { keptInFolder } = await changePassphrase({ path: options.data, passphrase: present, next });
  if (keptInFolder)
    terminal.warn(
      `Warning: the new passphrase lies in ${file}, as the one before did, beside what it protects. Once CARELEDGER_PASSPHRASE is set, remove that file.`,
    );
  terminal.answer(
    { changed: true, keptInFolder, replaceCopiesOf: keys },
    [
      `The keys in ${keys} are under the new passphrase.`,
      `A copy of them made before still opens with the old one: replace every copy now, and destroy the older ones.`,
      'If somebody else may have the old passphrase and such a copy: careledger keys rotate-root, and docs/operations.md, "Passphrase".',
    ].join('\n'),
  );
}

async function rotate(options: { data: string; vault?: string }, terminal: Terminal): Promise<void> {
  const { vaultKeys } = await rotateRoot({
    path: options.data,
    passphrase: await presentPassphrase(options.data),
    ...(options.vault !== undefined && { vaultUrl: options.vault }),
  });
  terminal.answer(
    { rotated: true, replaceCopiesOf: vaultKeys },
    [
      'The vault is under new keys. They open no backup from before: start the node and take a new one.',
      `A copy of ${vaultKeys} made before still opens them: replace every copy now, and destroy the older ones.`,
    ].join('\n'),
  );
}

/** As `start` finds it, from the environment or in the folder; typed where it is in neither. */
async function presentPassphrase(data: string): Promise<string | undefined> {
  const given = passphrase().passphrase;
  if (given !== undefined || existsSync(dataFolder(data).passphrase) || !process.stdin.isTTY) return given;
  return readSecret('Present passphrase', { variable: 'CARELEDGER_PASSPHRASE' });
}
