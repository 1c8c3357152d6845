import { readFileSync } from 'node:fs';
import {
  discloseConsent,
  type NodeClient,
  type ProvenTransaction,
  type SignedConsent,
  signGrant,
  signReplacement,
  type Wallet,
} from '../../client/index.ts';
import { AppError, equalBytes, fromHex, toHex } from '../../shared/index.ts';
import { accountOf } from '../account-argument.ts';
import { connect, connectPatient, type PatientConnection, readWallet } from '../connect.ts';
import { consentResource } from '../consent-resource.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import type { Terminal } from '../terminal.ts';
import { consentNamed, consentOnLedger, requireActive, whenItCounts } from './chosen-consent.ts';
import { receiptNote } from './consent-receipts.ts';
import { type Represented, representedOf } from './represented.ts';

const MS_PER_DAY = 86_400_000;

/** What `consent grant` and `consent replace` take: the terms, and where they go. */
export interface TermsOptions {
  wallet: string;
  node: string;
  via?: string;
  for?: string;
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

/** Lets somebody read. */
export async function grant(options: TermsOptions, terminal: Terminal): Promise<void> {
  refuseExisting(options.receipt);
  const wallet = await readWallet(options.wallet);
  const connection = await connectPatient(options.node, wallet);
  const { client, identity, custodian } = connection;
  const patient = representedOf(options.for, connection);
  const consent = await termsOf(options, patient, client, terminal);
  const place = await client.signingPlace(identity.accountId);
  const signed = signGrant(consent, { accountId: patient.accountId, custodian }, place, identity);
  const kept = keptOf(signed, 1, patient, connection);
  // Kept before it is sent: what became of it may stay unknown, and then it has to be revocable.
  await wallet.saveConsent({ ...kept, status: 'submitted' });
  const proven = await submitTerms(signed, connection, options.via);
  await wallet.saveConsent({ ...kept, status: 'active' });
  answer('Granted', signed, proven, options, terminal);
}

/** Puts other terms in place of those of a consent, whoever of the patient and the delegates set them. */
export async function replace(text: string, options: TermsOptions, terminal: Terminal): Promise<void> {
  refuseExisting(options.receipt);
  const wallet = await readWallet(options.wallet);
  const chosen = consentNamed(wallet.consents, text);
  const connection = await connectPatient(options.node, wallet);
  const { client, identity } = connection;
  const found = requireActive(await consentOnLedger(chosen, client, wallet));
  const patient = representedOf(options.for ?? chosen.known?.onBehalfOf, connection);
  if (!equalBytes(found.patient, patient.accountId))
    throw new AppError(
      'forbidden',
      'That is a consent of another patient. A delegate says of whom with --for.',
    );
  const consent = await termsOf(options, patient, client, terminal);
  const change = { consentId: fromHex(chosen.consentId) as Uint8Array, expectedVersion: found.version };
  const signed = signReplacement(consent, change, await client.signingPlace(identity.accountId), identity);
  const proven = await submitTerms(signed, connection, options.via);
  // Only now: until the new terms count, what opens the receipt of the old ones is still needed.
  await wallet.saveConsent({ ...keptOf(signed, found.version + 1, patient, connection), status: 'active' });
  answer(`Replaced: ${whenItCounts(options.via, 'the old terms')}`, signed, proven, options, terminal);
}

function keptOf(
  { consentId, validUntilMs, salt, consent }: SignedConsent,
  version: number,
  { onBehalfOf }: Represented,
  { custodian }: PatientConnection,
): Omit<Wallet['consents'][number], 'status'> {
  return {
    consentId: toHex(consentId),
    custodian: toHex(custodian),
    version,
    validUntilMs,
    salt: toHex(salt),
    consent,
    ...(onBehalfOf !== undefined && { onBehalfOf }),
  };
}

async function termsOf(
  options: TermsOptions,
  { patientId }: Represented,
  client: NodeClient,
  terminal: Terminal,
): Promise<unknown> {
  if (options.file !== undefined) return readConsent(options.file);
  const consent = wishedConsent(options, patientId);
  await warnOfUnknown(options.to.map(accountOf), client, terminal);
  return consent;
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
async function submitTerms(
  signed: SignedConsent,
  { client, chainId }: PatientConnection,
  via: string | undefined,
): Promise<ProvenTransaction> {
  if (!via) return client.submitConsent(signed);
  await client.depositTerms(signed);
  return connect(via, chainId).submit(signed.transaction);
}

function wishedConsent(options: TermsOptions, patientId: string): Record<string, unknown> {
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

function answer(
  done: string,
  signed: SignedConsent,
  proven: ProvenTransaction,
  { receipt, open }: TermsOptions,
  terminal: Terminal,
): void {
  if (receipt !== undefined)
    writeNew(receipt, open === true ? discloseConsent(proven.receipt, signed) : proven.receipt);
  const consentId = toHex(signed.consentId);
  terminal.answer(
    { consentId, ...proven.answer },
    `${done}. Consent ${consentId.slice(0, 16)}, until ${dateText(signed.validUntilMs)}.${receiptNote(receipt)}`,
  );
}

/** The day of a moment, UTC. */
export function dateText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
