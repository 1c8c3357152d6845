import { readFileSync, writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import {
  createWallet,
  enrolmentRequest,
  signGrant,
  signRevocation,
  type Wallet,
  type WalletConsent,
} from '../../client/index.ts';
import { AppError, fromHex, toHex } from '../../shared/index.ts';
import { accountOf } from '../account-argument.ts';
import { connect, custodianOf, patientIdentity, readWallet } from '../connect.ts';
import { consentResource, LABELS } from '../consent-resource.ts';
import { makeFolderOf } from '../home.ts';
import { readSecret } from '../secrets.ts';
import { type Terminal, table } from '../terminal.ts';
import { showAccesses } from './accesses.ts';
import { collect, nodeOption, walletOption } from './options.ts';

const DEFAULT_DAYS = '365';
const MS_PER_DAY = 86_400_000;

/** `wallet`, `consent` and `log`: what a patient does. */
export function addPatientCommands(program: Command, terminal: Terminal): void {
  program.addCommand(walletCommand(terminal));
  program.addCommand(consentCommand(terminal));
  program
    .command('log')
    .description('who accessed my record, when, why and under which consent; each entry is verified')
    .addOption(walletOption())
    .addOption(nodeOption())
    .option('--limit <number>', 'how many, newest first', '50')
    .option('--receipt <file>', 'save the proof of the newest anchored entry')
    .action((options: { wallet: string; node: string; limit: string; receipt?: string }) =>
      showAccesses(options, terminal),
    );
}

function walletCommand(terminal: Terminal): Command {
  const wallet = new Command('wallet').description("a patient's keys, in a file that only the patient reads");
  wallet
    .command('create')
    .description('make a wallet; CARELEDGER_WALLET_PASSPHRASE encrypts its seed')
    .addOption(walletOption())
    .action(async (options: { wallet: string }) => {
      makeFolderOf(options.wallet);
      await createWallet(options.wallet, { passphrase: process.env.CARELEDGER_WALLET_PASSPHRASE });
      terminal.answer(
        { wallet: options.wallet },
        `Made the wallet ${options.wallet}. Keep a copy somewhere safe: nobody else has this key.`,
      );
    });
  wallet
    .command('enrol')
    .description('bind the wallet to a patient with the one-time code of the hospital')
    .addOption(walletOption())
    .addOption(nodeOption())
    .option('--code-file <file>', 'file that holds the code (else CARELEDGER_ENROL_CODE, or a prompt)')
    .action((options: { wallet: string; node: string; codeFile?: string }) => enrol(options, terminal));
  wallet
    .command('show')
    .description('where the wallet is enrolled, without its secret')
    .addOption(walletOption())
    .action(async (options: { wallet: string }) => {
      const { enrolments, consents } = await readWallet(options.wallet);
      const rows = enrolments.map(({ patientId, baseUrl, accountId }) => [
        `Patient/${patientId}`,
        baseUrl,
        accountId,
      ]);
      terminal.answer(
        { enrolments, consents: consents.length },
        rows.length === 0 ? 'Not enrolled anywhere yet.' : table(rows),
      );
    });
  return wallet;
}

async function enrol(
  options: { wallet: string; node: string; codeFile?: string },
  terminal: Terminal,
): Promise<void> {
  const wallet = await readWallet(options.wallet);
  const client = connect(options.node);
  const code = await readSecret('One-time code', {
    file: options.codeFile,
    variable: 'CARELEDGER_ENROL_CODE',
  });
  const custodian = await custodianOf(client);
  const { chainId } = await client.genesis();
  const enrolled = await client.enrol(enrolmentRequest(wallet.seed, custodian, chainId, code));
  await wallet.saveEnrolment({
    baseUrl: client.baseUrl,
    chainId: toHex(chainId),
    custodian: toHex(custodian),
    ...enrolled,
  });
  terminal.answer(
    enrolled,
    `Enrolled as Patient/${enrolled.patientId}. On the ledger you are the pseudonym ${enrolled.accountId}.`,
  );
}

interface GrantOptions {
  wallet: string;
  node: string;
  to: string[];
  purpose: string[];
  action: string[];
  type: string[];
  code: string[];
  withhold: string[];
  includeSensitive?: boolean;
  days: string;
  file?: string;
  receipt?: string;
}

function consentCommand(terminal: Terminal): Command {
  const consent = new Command('consent').description('who may read my record');
  consent
    .command('grant')
    .description('let somebody read; signed by the wallet and recorded on the ledger')
    .addOption(walletOption())
    .addOption(nodeOption())
    .option('--to <account>', 'who: an account id or a key file (several: repeat)', collect, [])
    .option('--purpose <code>', 'for what, a code of HL7 v3 ActReason (repeat)', collect, [])
    .option('--action <code>', 'access, use, disclose, collect, correct (repeat)', collect, [])
    .option('--type <type>', 'only these resource types (repeat)', collect, [])
    .option('--code <system|code>', 'only these codes (repeat)', collect, [])
    .addOption(
      new Option('--withhold <label>', 'never these sensitive records (repeat)')
        .choices(LABELS)
        .argParser(collect)
        .default([]),
    )
    .option('--include-sensitive', 'sensitive records too, but those withheld and sealed ones')
    .option('--days <number>', 'for how long', DEFAULT_DAYS)
    .option('--file <consent.json>', 'a FHIR R4 Consent instead of the options above')
    .option('--receipt <file>', 'save the receipt')
    .action((options: GrantOptions) => grant(options, terminal));
  consent
    .command('revoke')
    .description('take a consent back')
    .argument('[consentId]', 'as `consent list` shows it')
    .addOption(walletOption())
    .addOption(nodeOption())
    .option('--all', 'every active consent')
    .option('--receipt <file>', 'save the receipt (of the last one)')
    .action(
      (
        consentId: string | undefined,
        options: { wallet: string; node: string; all?: boolean; receipt?: string },
      ) => revoke(consentId, options, terminal),
    );
  consent
    .command('list')
    .description('the consents this wallet signed')
    .addOption(walletOption())
    .action(async (options: { wallet: string }) => {
      const { consents } = await readWallet(options.wallet);
      const rows = consents.map(({ consentId, status, validUntilMs }) => [
        consentId.slice(0, 16),
        status,
        `until ${dateText(validUntilMs)}`,
      ]);
      terminal.answer(consents, rows.length === 0 ? 'No consents yet.' : table(rows));
    });
  return consent;
}

async function grant(options: GrantOptions, terminal: Terminal): Promise<void> {
  const wallet = await readWallet(options.wallet);
  const client = connect(options.node);
  const identity = await patientIdentity(client, wallet);
  const custodian = await custodianOf(client);
  const consent =
    options.file === undefined
      ? wishedConsent(options, patientIdAt(wallet, custodian))
      : readConsent(options.file);
  const signed = signGrant(consent, wallet.keyAt(custodian), await client.signingPlace(identity.accountId));
  const proven = await client.submitConsent(signed);
  const consentId = toHex(signed.consentId);
  await wallet.saveConsent({
    consentId,
    custodian: toHex(custodian),
    version: 1,
    status: 'active',
    validUntilMs: signed.validUntilMs,
    salt: toHex(signed.salt),
    consent,
  });
  saveReceipt(options.receipt, proven.receipt);
  terminal.answer(
    { consentId, ...proven.answer },
    `Granted. Consent ${consentId.slice(0, 16)}, until ${dateText(signed.validUntilMs)}.${receiptNote(options.receipt)}`,
  );
}

function wishedConsent(options: GrantOptions, patientId: string): Record<string, unknown> {
  if (options.to.length === 0)
    throw new AppError('usage', 'Say who may read: --to <account id or key file>.');
  const days = Number(options.days);
  if (!Number.isInteger(days) || days < 1 || days > 36_500)
    throw new AppError('usage', '--days is a whole number from 1 to 36500.');
  const nowMs = Date.now();
  return consentResource({
    patientId,
    to: options.to.map(accountOf),
    purposes: options.purpose,
    actions: options.action,
    types: options.type,
    codes: options.code,
    withhold: options.withhold,
    includeSensitive: options.includeSensitive === true,
    // A clock a little ahead of the node's must not make the consent start late.
    fromMs: nowMs - 60_000,
    untilMs: nowMs + days * MS_PER_DAY,
    nowMs,
  });
}

function readConsent(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new AppError('malformed-json', `${file} cannot be read as JSON.`, { cause });
  }
}

function patientIdAt(wallet: Wallet, custodian: Uint8Array): string {
  const enrolment = wallet.enrolments.find((each) => each.custodian === toHex(custodian));
  if (enrolment === undefined) throw new AppError('not-found', 'This wallet is not enrolled at that node.');
  return enrolment.patientId;
}

async function revoke(
  prefix: string | undefined,
  options: { wallet: string; node: string; all?: boolean; receipt?: string },
  terminal: Terminal,
): Promise<void> {
  const wallet = await readWallet(options.wallet);
  const client = connect(options.node);
  const identity = await patientIdentity(client, wallet);
  const chosen = chooseConsents(wallet.consents, prefix, options.all === true);
  for (const consent of chosen) {
    const consentId = fromHex(consent.consentId) as Uint8Array;
    const change = { consentId, expectedVersion: consent.version };
    const signed = signRevocation(change, await client.signingPlace(identity.accountId), identity);
    const proven = await client.submitConsent(signed);
    await wallet.saveConsent({ ...consent, version: consent.version + 1, status: 'revoked' });
    saveReceipt(options.receipt, proven.receipt);
  }
  const revoked = chosen.map(({ consentId }) => consentId);
  terminal.answer(
    { revoked },
    `Revoked ${revoked.length} consent${revoked.length === 1 ? '' : 's'}: no read that starts now succeeds under it.${receiptNote(options.receipt)}`,
  );
}

function chooseConsents(
  consents: readonly WalletConsent[],
  prefix: string | undefined,
  all: boolean,
): WalletConsent[] {
  const active = consents.filter(({ status }) => status === 'active');
  if (all) return active;
  if (prefix === undefined)
    throw new AppError('usage', 'Name the consent (careledger consent list), or say --all.');
  const matching = active.filter(({ consentId }) => consentId.startsWith(prefix));
  if (matching.length === 1) return matching;
  throw new AppError(
    'not-found',
    matching.length === 0
      ? 'This wallet has no active consent of that id.'
      : 'Several consents begin so. Give more of the id.',
  );
}

function saveReceipt(file: string | undefined, receipt: string): void {
  if (file !== undefined) writeFileSync(file, receipt);
}

function receiptNote(file: string | undefined): string {
  return file === undefined ? '' : ` The receipt is in ${file}.`;
}

function dateText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
