import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../shared/index.ts';
import { type OpenAccessLog, openAccessLog } from './access-log/open-access-log.ts';
import { audit } from './audit/audit.ts';
import { removeSeal, sealFile, sealPath, verifySeal } from './audit/file-seal.ts';
import type { AuditFinding } from './audit/finding.ts';
import { backup, refuseShutBackup, restoreRows } from './backup/backup.ts';
import { type LedgerOfBackup, unmarkLater } from './backup/unmark-later.ts';
import { erase, rotateRoot } from './erasure/erase.ts';
import { listErased } from './erasure/erased-commitments.ts';
import { finishErasure } from './erasure/renew-root.ts';
import { loadKeyring, storeKeyring } from './erasure/stored-keyring.ts';
import { countUnknown } from './erasure/unknown-versions.ts';
import { createGrants, rotateEpoch } from './grants/grants.ts';
import { newKeyring, unwrapKeyring, wrapKeyring } from './keys/keyring.ts';
import { fileError } from './keys/replace-file.ts';
import { listPending, markAnchored } from './records/anchoring.ts';
import { createRecordReader } from './records/find-records.ts';
import { putAll } from './records/put-all.ts';
import { createPutQueue } from './records/put-queue.ts';
import { openPostgresStore } from './storage/postgres-store.ts';
import type { SqlStore } from './storage/sql-store.ts';
import { openSqliteStore } from './storage/sqlite-store.ts';
import { createBindings } from './tables/bindings.ts';
import { createConsents } from './tables/consents.ts';
import { createEnrolmentCodes } from './tables/enrolment-codes.ts';
import { createGrantedConsents } from './tables/granted-consents.ts';
import { createPseudonyms } from './tables/pseudonyms.ts';
import { createSettings } from './tables/settings.ts';
import { createUsedIdentifiers } from './tables/used-identifiers.ts';
import { passUsedNumbers } from './tables/used-numbers.ts';
import type { Vault, VaultOptions } from './vault.ts';
import { createVaultContext, type VaultContext } from './vault-context.ts';

const LOG_NAME = 'access.log';

/** Opens a vault, or makes a new one where the database is empty. Checks the at-rest seals first. */
export async function openVault(options: VaultOptions): Promise<Vault> {
  makeFolder(options.folder);
  const logPath = join(options.folder, LOG_NAME);
  const sealed = [sqlitePath(options.url), logPath].filter((path) => path !== undefined);
  const atOpen: AuditFinding[] = [];
  for (const path of sealed) atOpen.push(...(await verifySeal(path, options.keys)));
  const tolerateDamage = options.tolerateDamage === true;
  if (atOpen.length > 0 && !tolerateDamage) throw damagedAtRest(atOpen);
  const store = await openStore(options.url);
  let log: OpenAccessLog | undefined;
  try {
    const context = await openContext(store, options);
    log = await openAccessLog(context, logPath, { signBatch: options.signBatch, tolerateDamage });
    const wasSealed = sealed.every((path) => existsSync(sealPath(path)));
    // Before the first write: a crash from here on must not leave a seal that does not fit.
    if (atOpen.length === 0) for (const path of sealed) removeSeal(path);
    if (!tolerateDamage) await finishErasure(context, options.keys);
    // An audit must not vouch for what it only looked at.
    return vaultOn(context, log, options, { findings: atOpen, mayBeSealed: !tolerateDamage || wasSealed });
  } catch (cause) {
    await log?.close().catch(() => undefined);
    await store.close().catch(() => undefined);
    throw cause;
  }
}

/**
 * Restores a backup into a new folder and an empty database; open it with openVault afterwards. What the `ledger` lacks counts as
 * not anchored.
 */
export async function restoreVault(
  backupFolder: string,
  options: Pick<VaultOptions, 'url' | 'folder' | 'keys' | 'now' | 'random'>,
  ledger?: LedgerOfBackup,
): Promise<void> {
  makeFolder(options.folder);
  const store = await openStore(options.url);
  try {
    await restoreRows(backupFolder, store, options.keys, join(options.folder, LOG_NAME));
    if (ledger !== undefined) await unmarkLater(await openContext(store, options), ledger);
  } finally {
    await store.close();
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw fileError(folder, cause);
  }
}

function sqlitePath(url: string): string | undefined {
  return url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined;
}

async function openStore(url: string): Promise<SqlStore> {
  const path = sqlitePath(url);
  if (path !== undefined) return openSqliteStore(path);
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgresStore(url);
  throw new AppError('usage', 'A vault is at sqlite:/path/to/vault.db or at postgres://user@host/database.');
}

async function openContext(
  store: SqlStore,
  options: Pick<VaultOptions, 'keys' | 'now' | 'random' | 'tolerateDamage' | 'mustExist' | 'onDamagedKey'>,
): Promise<VaultContext> {
  const wrapped = await loadKeyring(store.reader);
  // Another keyring would open nothing of what is there.
  const isDamaged = wrapped === undefined ? await holdsKeys(store) : wrapped.length === 0;
  if (isDamaged)
    throw new AppError('damaged', 'The vault’s keyring is damaged. Restore the last backup to a new folder.');
  if (wrapped !== undefined) {
    const context = await createVaultContext(store, await unwrapKeyring(options.keys, wrapped), options);
    // An audit gives out no numbers, and finds by itself what is damaged.
    if (options.tolerateDamage !== true) await passUsedNumbers(context);
    return context;
  }
  if (options.mustExist === true)
    throw new AppError('not-found', 'This database holds no vault. Name the right one; nothing was changed.');
  const keyring = newKeyring(options.random);
  const fresh = await wrapKeyring(options.keys, keyring);
  await store.write((session) => storeKeyring(session, fresh));
  return createVaultContext(store, keyring, options);
}

async function holdsKeys({ reader }: SqlStore): Promise<boolean> {
  return (await reader.all('SELECT key_id FROM category_keys LIMIT 1')).length > 0;
}

function damagedAtRest(findings: readonly AuditFinding[]): AppError {
  const [first] = findings;
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
  return new AppError(
    'damaged',
    `The vault changed while it was closed: ${first?.where}${more}. Nothing was touched. Run the audit, and restore the last backup to a new folder.`,
  );
}

function vaultOn(
  context: VaultContext,
  log: OpenAccessLog,
  options: VaultOptions,
  atOpen: { readonly findings: readonly AuditFinding[]; readonly mayBeSealed: boolean },
): Vault {
  const queue = createPutQueue(context);
  const bindings = createBindings(context);
  let closing: Promise<void> | undefined;
  return {
    ...createRecordReader(context, context.store.reader),
    put: (write) => queue.put(write),
    putAll: (writes) => putAll(context, writes),
    pendingCommitments: (limit) => listPending(context, limit),
    markAnchored: (keys) => markAnchored(context, keys),
    rotateEpoch: (subject, epoch = {}) => rotateEpoch(context, subject, epoch),
    erase: (target) => erase(context, target, options.keys, options.signer),
    rotateRoot: () => rotateRoot(context, options.keys),
    audit: (onProgress, onRecord) => audit(context, log, options.keys, atOpen.findings, onProgress, onRecord),
    erased: () => listErased(context),
    erasedUnknown: () => countUnknown(context, context.store.reader),
    backup: (folder) => backup(context, log, options.keys, folder),
    refuseShutBackup: (folder) => refuseShutBackup(options.keys, folder),
    grants: createGrants(context),
    accessLog: log,
    enrolmentCodes: createEnrolmentCodes(context),
    bindings,
    pseudonyms: createPseudonyms(context, bindings),
    consents: createConsents(context),
    grantedConsents: createGrantedConsents(context),
    usedIdentifiers: createUsedIdentifiers(context),
    settings: createSettings(context),
    close: () => {
      const intact = atOpen.findings.length === 0 && log.damage === undefined;
      closing ??= closeVault(context, log, options, intact && atOpen.mayBeSealed);
      return closing;
    },
  };
}

/** A vault that was found damaged is not sealed again: its state must not pass for the right one. */
async function closeVault(
  context: VaultContext,
  log: OpenAccessLog,
  options: VaultOptions,
  intact: boolean,
): Promise<void> {
  const seal = (path: string) => sealFile(path, options.keys, options.random);
  await log.close();
  await context.store.close(intact ? seal : undefined);
  if (intact) await seal(log.path);
}
