import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import {
  concealReceipt,
  consentOpening,
  discloseConsent,
  type NodeClient,
  type PatientKey,
  type ProvenTransaction,
  type SignedConsent,
  signGrant,
  signRevocation,
  verifyReceipt,
  type Wallet,
  type WalletConsent,
} from '../../client/index.ts';
import { PURPOSES } from '../../contracts/index.ts';
import { AppError, fromHex, toHex } from '../../shared/index.ts';
import { accountOf } from '../account-argument.ts';
import { connect, connectPatient, readWallet } from '../connect.ts';
import { consentResource, LABELS } from '../consent-resource.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import { type Terminal, table } from '../terminal.ts';
import { collect, collectOneOf, nodeOption, repeatedChoice, walletOption } from './options.ts';

const DEFAULT_DAYS = '365';
const MS_PER_DAY = 86_400_000;

interface GrantOptions {
  wallet: string;
  node: string;
  via?: string;
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
  open?: boolean;
}

interface RevokeOptions {
  wallet: string;
  node: string;
  via?: string;
  all?: boolean;
  receipt?: string;
}

const viaOption = (): Option =>
  new Option('--via <url>', 'submit through this other node of the consortium').env('CARELEDGER_VIA');

/** `consent`: grant, revoke, list, and open a receipt's terms to somebody. */
export function consentCommand(terminal: Terminal): Command {
  const consent = new Command('consent').description('who may read my record');
  consent
    .command('grant')
    .description('let somebody read; signed by the wallet and recorded on the ledger')
    .addOption(walletOption())
    .addOption(nodeOption())
    .addOption(viaOption())
    .option('--to <account>', 'who: an account id or a key file (several: repeat)', collect, [])
    .option(
      '--purpose <code>',
      'for what, a code of HL7 v3 ActReason (repeat); for everything unless you say',
      collectOneOf(PURPOSES),
      [],
    )
    .option(
      '--action <code>',
      'access, use, disclose, collect, correct (repeat); all but the last two unless you say',
      collect,
      [],
    )
    .option('--type <type>', 'only these resource types (repeat)', collect, [])
    .option('--code <system|code>', 'only these codes (repeat)', collect, [])
    .addOption(repeatedChoice('--withhold <label>', 'never these sensitive records (repeat)', LABELS))
    .option('--include-sensitive', 'sensitive records too, but those withheld and sealed ones')
    .option('--days <number>', 'for how long', DEFAULT_DAYS)
    .option('--file <consent.json>', 'a FHIR R4 Consent, instead of the options from --to to --days')
    .option('--receipt <file>', 'save the receipt')
    .option('--open', 'with the terms in the receipt, for everybody who gets it to read')
    .action((options: GrantOptions) => grant(options, terminal));
  consent
    .command('revoke')
    .description('take a consent back')
    .argument('[consentId]', 'as `consent list` shows it')
    .addOption(walletOption())
    .addOption(nodeOption())
    .addOption(viaOption())
    .option('--all', 'every active consent')
    .option('--receipt <file>', 'save the receipt (of the last one)')
    .action((consentId: string | undefined, options: RevokeOptions) => revoke(consentId, options, terminal));
  consent
    .command('open')
    .description("put the terms into a receipt of this wallet's consent: who gets it can read and check them")
    .argument('<receipt>', 'the receipt')
    .addOption(walletOption())
    .requiredOption('--out <file>', 'where to save the opened receipt')
    .action((receipt: string, options: { wallet: string; out: string }) => open(receipt, options, terminal));
  consent
    .command('close')
    .description('take the terms out of a receipt again, to show it to anybody')
    .argument('<receipt>', 'the receipt')
    .requiredOption('--out <file>', 'where to save the closed receipt')
    .action((receipt: string, options: { out: string }) => {
      writeNew(options.out, concealReceipt(readText(receipt)));
      terminal.answer({ out: options.out }, `Closed: ${options.out} shows a commitment and no terms.`);
    });
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
  refuseExisting(options.receipt);
  const wallet = await readWallet(options.wallet);
  const { client, identity, enrolment, custodian, chainId } = await connectPatient(options.node, wallet);
  const consent =
    options.file === undefined ? wishedConsent(options, enrolment.patientId) : readConsent(options.file);
  if (options.file === undefined) await warnOfUnknown(options.to.map(accountOf), client, terminal);
  const signed = signGrant(consent, identity, await client.signingPlace(identity.accountId));
  const consentId = toHex(signed.consentId);
  const kept = {
    consentId,
    custodian: toHex(custodian),
    version: 1,
    validUntilMs: signed.validUntilMs,
    salt: toHex(signed.salt),
    consent,
  };
  // Kept before it is sent: what became of it may stay unknown, and then it has to be revocable.
  await wallet.saveConsent({ ...kept, status: 'submitted' });
  const proven = await submitGrant(signed, client, options.via && connect(options.via, chainId));
  await wallet.saveConsent({ ...kept, status: 'active' });
  if (options.receipt !== undefined)
    writeNew(
      options.receipt,
      options.open === true ? discloseConsent(proven.receipt, signed) : proven.receipt,
    );
  terminal.answer(
    { consentId, ...proven.answer },
    `Granted. Consent ${consentId.slice(0, 16)}, until ${dateText(signed.validUntilMs)}.${receiptNote(options.receipt)}`,
  );
}

/** A mistyped account is nobody's, and a consent for it opens nothing: no error, because it may be registered later. */
async function warnOfUnknown(
  accounts: readonly string[],
  client: NodeClient,
  terminal: Terminal,
): Promise<void> {
  for (const account of accounts) {
    const isKnown = await client.account(fromHex(account) as Uint8Array).then(
      () => true,
      (error: unknown) => !(error instanceof AppError && error.code === 'not-found'),
    );
    if (!isKnown)
      terminal.warn(`Warning: the ledger has no account ${account}. Until it has, nobody can read as it.`);
  }
}

/** Through another node of the consortium the custodian gets the terms first: it enforces what it can read. */
async function submitGrant(
  signed: SignedConsent,
  custodian: NodeClient,
  via: NodeClient | '' | undefined,
): Promise<ProvenTransaction> {
  if (!via) return custodian.submitConsent(signed);
  await custodian.depositTerms(signed);
  return via.submit(signed.transaction);
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

async function revoke(prefix: string | undefined, options: RevokeOptions, terminal: Terminal): Promise<void> {
  refuseExisting(options.receipt);
  let receipt: string | undefined;
  const wallet = await readWallet(options.wallet);
  const chosen = chooseConsents(wallet.consents, prefix, options.all === true);
  for (const consent of chosen) {
    const { client, identity } = await doorFor(consent, wallet, options);
    const consentId = fromHex(consent.consentId) as Uint8Array;
    const change = { consentId, expectedVersion: consent.version };
    const signed = signRevocation(change, await client.signingPlace(identity.accountId), identity);
    const proven = await (options.via === undefined
      ? client.submitConsent(signed)
      : client.submit(signed.transaction));
    await wallet.saveConsent({ ...consent, version: consent.version + 1, status: 'revoked' });
    receipt = proven.receipt;
  }
  if (options.receipt !== undefined && receipt !== undefined) writeNew(options.receipt, receipt);
  const revoked = chosen.map(({ consentId }) => consentId);
  terminal.answer(
    { revoked },
    `Revoked ${revoked.length} consent${revoked.length === 1 ? '' : 's'}: ${whenItCounts(options.via)}.${receiptNote(options.receipt)}`,
  );
}

/** The custodian's own node has ended its reads before it acknowledges; after another's acknowledgement it has to hear of the block. */
function whenItCounts(via: string | undefined): string {
  return via === undefined
    ? 'no read that starts now succeeds under it'
    : "the custodian's node follows within ten seconds, or reads nothing";
}

/** The custodian's own node; or with --via another of the consortium, so that no custodian can hold a revocation back. */
async function doorFor(
  { custodian }: WalletConsent,
  wallet: Wallet,
  { node, via }: RevokeOptions,
): Promise<{ client: NodeClient; identity: PatientKey }> {
  if (via === undefined) return connectPatient(node, wallet);
  const enrolment = wallet.enrolments.find((each) => each.custodian === custodian);
  if (enrolment === undefined)
    throw new AppError('not-found', 'This wallet is not enrolled at the custodian of that consent.');
  return {
    client: connect(via, fromHex(enrolment.chainId) as Uint8Array),
    identity: wallet.keyAt(fromHex(custodian) as Uint8Array),
  };
}

function chooseConsents(
  consents: readonly WalletConsent[],
  prefix: string | undefined,
  all: boolean,
): WalletConsent[] {
  const active = consents.filter(({ status }) => status !== 'revoked');
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

/** The wallet does not know which consent a receipt is of; only the right terms open its commitment. */
async function open(
  file: string,
  options: { wallet: string; out: string },
  terminal: Terminal,
): Promise<void> {
  const { consents } = await readWallet(options.wallet);
  const receipt = readText(file);
  for (const consent of consents) {
    const opened = discloseConsent(receipt, consentOpening(consent));
    const verdict = verifyReceipt(opened);
    if (!verdict.ok) continue;
    writeNew(options.out, opened);
    return terminal.answer(
      { out: options.out, consentId: consent.consentId },
      `Opened: who gets ${options.out} can read what was consented to.`,
    );
  }
  throw new AppError('not-found', 'This is not a receipt of a consent that this wallet signed.');
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AppError('file-failed', `${file} cannot be read.`, { cause });
  }
}

function receiptNote(file: string | undefined): string {
  return file === undefined ? '' : ` The receipt is in ${file}.`;
}

function dateText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
