import {
  type AccessAnchor,
  actionName,
  CONTRACT,
  type ConsentChange,
  decodeCommitVersions,
  decodeSinglePart,
  type RecordErasure,
  readAnchor,
  readGrantConsent,
  readRecordErasure,
  readRegistration,
  readReplaceConsent,
  readRevokeConsent,
} from '../../contracts/index.ts';
import { accountIdOf } from '../../identity/index.ts';
import { RESULT_CODES, type ResultCode, type Transaction } from '../../ledger/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';

/** What the ledger says that a custodian's vault must have. */
export interface LedgerFacts {
  /** Height by commitment, for every record version that was ever committed. */
  readonly commitments: ReadonlyMap<string, number>;
  readonly erasures: readonly (RecordErasure & { readonly height: number })[];
  /** Every anchor of the access log that still has to hold, oldest first. */
  readonly anchors: readonly (AccessAnchor & { readonly height: number })[];
  /** Entries that were anchored, and that the custodian said it lost. */
  readonly lostEntries: readonly LostEntries[];
  /** Height by account id in hex, for every patient that the custodian enrolled. */
  readonly pseudonyms: ReadonlyMap<string, number>;
  /** Every consent that was granted to the custodian, by its id in hex. */
  readonly consents: ReadonlyMap<string, Readonly<RecordedConsent>>;
}

/** The custodian said at this height that its access log ends before `from`, when entries up to `to` were anchored. */
export interface LostEntries {
  readonly from: number;
  readonly to: number;
  readonly height: number;
}

interface RecordedConsent {
  /** Of the patient, in hex. */
  account: string;
  /** Of the grant. */
  height: number;
  version: number;
  isActive: boolean;
}

/** Gathers the facts from the ledger's blocks, in their order. */
export class LedgerFactsGatherer implements LedgerFacts {
  readonly commitments = new Map<string, number>();
  readonly erasures: (RecordErasure & { height: number })[] = [];
  anchors: (AccessAnchor & { height: number })[] = [];
  readonly lostEntries: LostEntries[] = [];
  readonly pseudonyms = new Map<string, number>();
  readonly consents = new Map<string, RecordedConsent>();
  readonly #custodian: Uint8Array;
  /** The last block that was taken in. */
  height = 0;

  constructor(custodian: Uint8Array) {
    this.#custodian = custodian;
  }

  take(
    height: number,
    transactions: readonly { readonly transaction: Transaction; readonly code: ResultCode }[],
  ): void {
    this.height = height;
    for (const { transaction, code } of transactions) {
      if (code !== RESULT_CODES.ok) continue;
      if (transaction.header.contract === CONTRACT.consent) this.#takeConsent(height, transaction);
      if (equalBytes(transaction.header.signer, this.#custodian)) this.#takeAction(height, transaction);
    }
  }

  /** A patient signs it, or a delegate. */
  #takeConsent(height: number, { header, parts }: Transaction): void {
    const name = actionName(header.contract, header.action);
    if (name === 'grant-consent') {
      const grant = decodeSinglePart(parts, readGrantConsent);
      if (!grant.ok || !equalBytes(grant.value.custodian, this.#custodian)) return;
      const account = toHex(grant.value.patient);
      this.consents.set(toHex(grant.value.consentId), { account, height, version: 1, isActive: true });
    }
    const isReplacement = name === 'replace-consent';
    if (!isReplacement && name !== 'revoke-consent') return;
    const change = decodeSinglePart<ConsentChange>(
      parts,
      isReplacement ? readReplaceConsent : readRevokeConsent,
    );
    const consent = change.ok ? this.consents.get(toHex(change.value.consentId)) : undefined;
    if (consent === undefined) return;
    consent.version += 1;
    consent.isActive = isReplacement;
  }

  #takeAction(height: number, { header, parts }: Transaction): void {
    const name = actionName(header.contract, header.action);
    if (name === 'commit-versions') {
      const batch = decodeCommitVersions(parts);
      for (const { commitment } of batch.ok ? batch.value.entries : [])
        this.commitments.set(commitmentKey(commitment), height);
    }
    if (name === 'enrol-patient') {
      const registration = decodeSinglePart(parts, readRegistration);
      if (registration.ok) this.pseudonyms.set(toHex(accountIdOf(registration.value.publicKey)), height);
    }
    if (name === 'record-erasure') {
      const erasure = decodeSinglePart(parts, readRecordErasure);
      if (erasure.ok) this.erasures.push({ ...erasure.value, height });
    }
    if (name === 'anchor-access-log' || name === 'restart-access-log') {
      const anchor = decodeSinglePart(parts, readAnchor);
      if (!anchor.ok) return;
      if (name === 'restart-access-log') this.#forgetAfter(anchor.value.logSize, height);
      this.anchors.push({ ...anchor.value, height });
    }
  }

  /** What was anchored of the log that was lost holds no more. */
  #forgetAfter(size: number, height: number): void {
    const newest = this.anchors.at(-1)?.logSize ?? 0;
    if (newest > size) this.lostEntries.push({ from: size, to: newest - 1, height });
    this.anchors = this.anchors.filter(({ logSize }) => logSize < size);
  }
}

/** 32 bytes as a string of as many characters: a million of them fit where hexadecimal ones would not. */
export function commitmentKey(commitment: Uint8Array): string {
  return Buffer.from(commitment.buffer, commitment.byteOffset, commitment.byteLength).toString('latin1');
}
