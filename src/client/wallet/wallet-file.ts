import { AppError, fromHex, fromUtf8 } from '../../shared/index.ts';
import { createPrivate, readIfThere, replacePrivate } from '../private-file.ts';
import { type PatientKey, patientKeyOf } from './patient-key.ts';
import { recoverSeed, type StoredSeed, storeSeed } from './wallet-secret.ts';

const FORMAT = 'careledger-wallet/v1';
const MAX_FILE_BYTES = 16 << 20;
const HEX_32 = /^[0-9a-f]{64}$/;
const SEED_BYTES = 32;

/** Where the wallet is enrolled. Ids are hexadecimal. */
export type Enrolment = {
  readonly baseUrl: string;
  readonly chainId: string;
  readonly custodian: string;
  readonly accountId: string;
  readonly patientId: string;
};

/** A consent that this wallet signed, with what opens its commitment. */
export type WalletConsent = {
  readonly consentId: string;
  readonly custodian: string;
  readonly version: number;
  /** `submitted` until the node has proven that it is on the ledger: it may be, and can be revoked. */
  readonly status: 'submitted' | 'active' | 'revoked';
  readonly validUntilMs: number;
  /** Hexadecimal. */
  readonly salt: string;
  /** The FHIR Consent as it was signed. */
  readonly consent: unknown;
  /** The patient for whom it was signed, by a delegate; absent for the holder's own. */
  readonly onBehalfOf?: string;
};

/** Somebody who acts for the holder of this wallet. Ids are hexadecimal. */
export type WalletDelegate = {
  readonly accountId: string;
  readonly custodian: string;
  /** `submitted` until the node has proven that it is on the ledger. */
  readonly status: 'submitted' | 'active';
};

/** A patient's wallet. Its seed never leaves this machine; a node sees only keys derived from it, another for each custodian. */
export type Wallet = {
  readonly file: string;
  readonly seed: Uint8Array;
  readonly enrolments: readonly Enrolment[];
  readonly consents: readonly WalletConsent[];
  readonly delegates: readonly WalletDelegate[];
  keyAt(custodian: Uint8Array): PatientKey;
  /** Remembers an enrolment, in place of an older one at the same custodian. */
  saveEnrolment(enrolment: Enrolment): Promise<void>;
  /** Remembers a consent, in place of its older version. */
  saveConsent(consent: WalletConsent): Promise<void>;
  /** Remembers a delegate, in place of what it knew of the same. */
  saveDelegate(delegate: WalletDelegate): Promise<void>;
  forgetDelegate(accountId: string): Promise<void>;
};

type WalletContent = {
  readonly secret: StoredSeed;
  readonly enrolments: readonly Enrolment[];
  readonly consents: readonly WalletConsent[];
  readonly delegates: readonly WalletDelegate[];
};

/** Makes a wallet in a new file that only its owner may read; with a passphrase the seed is encrypted as well. */
export async function createWallet(
  file: string,
  options: { readonly passphrase?: string | undefined } = {},
): Promise<Wallet> {
  const seed = globalThis.crypto.getRandomValues(new Uint8Array(SEED_BYTES));
  const content: WalletContent = {
    secret: storeSeed(seed, options.passphrase),
    enrolments: [],
    consents: [],
    delegates: [],
  };
  await createPrivate(file, textOf(content));
  return walletOf(file, seed, content);
}

export async function openWallet(
  file: string,
  options: { readonly passphrase?: string | undefined } = {},
): Promise<Wallet> {
  const bytes = await readIfThere(file);
  if (bytes === undefined)
    throw new AppError(
      'not-found',
      `There is no wallet ${file}. Make one with \`careledger wallet create\`.`,
    );
  const content = bytes.length > MAX_FILE_BYTES ? undefined : parseContent(fromUtf8(bytes) ?? '');
  const seed = content === undefined ? undefined : recoverSeed(content.secret, options.passphrase);
  if (content === undefined || seed === undefined)
    throw new AppError(
      'damaged',
      `The file ${file} is not a wallet, or it is damaged. Restore it from your copy.`,
    );
  return walletOf(file, seed, content);
}

function walletOf(file: string, seed: Uint8Array, opened: WalletContent): Wallet {
  let content = opened;
  let last: Promise<unknown> = Promise.resolve();
  // One after the other, so that no change is lost to one that began from the same content.
  const change = (next: (before: WalletContent) => WalletContent): Promise<void> => {
    const turn = last.then(async () => {
      const after = next(content);
      await replacePrivate(file, textOf(after));
      content = after;
    });
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    file,
    seed,
    get enrolments() {
      return content.enrolments;
    },
    get consents() {
      return content.consents;
    },
    get delegates() {
      return content.delegates;
    },
    keyAt: (custodian) => patientKeyOf(seed, custodian),
    saveEnrolment: (enrolment) =>
      change((before) => ({
        ...before,
        enrolments: [
          ...before.enrolments.filter(({ custodian }) => custodian !== enrolment.custodian),
          enrolment,
        ],
      })),
    saveConsent: (consent) =>
      change((before) => ({
        ...before,
        consents: [...before.consents.filter(({ consentId }) => consentId !== consent.consentId), consent],
      })),
    saveDelegate: (delegate) =>
      change((before) => ({ ...before, delegates: [...others(before, delegate.accountId), delegate] })),
    forgetDelegate: (accountId) => change((before) => ({ ...before, delegates: others(before, accountId) })),
  };
}

function others({ delegates }: WalletContent, accountId: string): readonly WalletDelegate[] {
  return delegates.filter((each) => each.accountId !== accountId);
}

function textOf(content: WalletContent): string {
  return `${JSON.stringify({ format: FORMAT, ...content }, null, 1)}\n`;
}

function parseContent(text: string): WalletContent | undefined {
  try {
    // A wallet that never named a delegate may say nothing of them.
    const {
      format,
      secret,
      enrolments,
      consents,
      delegates = [],
    } = JSON.parse(text) as Record<string, unknown>;
    if (format !== FORMAT || typeof secret !== 'object' || secret === null) return undefined;
    if (!Array.isArray(enrolments) || !enrolments.every(isEnrolment)) return undefined;
    if (!Array.isArray(consents) || !consents.every(isWalletConsent)) return undefined;
    if (!Array.isArray(delegates) || !delegates.every(isDelegate)) return undefined;
    return { secret: secret as StoredSeed, enrolments, consents, delegates };
  } catch {
    return undefined;
  }
}

function isEnrolment(value: unknown): value is Enrolment {
  const { baseUrl, chainId, custodian, accountId, patientId } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof baseUrl === 'string' &&
    typeof patientId === 'string' &&
    [chainId, custodian, accountId].every(isHex32)
  );
}

function isWalletConsent(value: unknown): value is WalletConsent {
  const { consentId, custodian, version, status, validUntilMs, salt, onBehalfOf } = (value ?? {}) as Record<
    string,
    unknown
  >;
  if (![consentId, custodian, salt].every(isHex32)) return false;
  if (onBehalfOf !== undefined && typeof onBehalfOf !== 'string') return false;
  return (
    Number.isSafeInteger(version) &&
    Number.isSafeInteger(validUntilMs) &&
    (status === 'submitted' || status === 'active' || status === 'revoked')
  );
}

function isDelegate(value: unknown): value is WalletDelegate {
  const { accountId, custodian, status } = (value ?? {}) as Record<string, unknown>;
  return [accountId, custodian].every(isHex32) && (status === 'submitted' || status === 'active');
}

function isHex32(value: unknown): boolean {
  return typeof value === 'string' && HEX_32.test(value) && fromHex(value) !== undefined;
}
