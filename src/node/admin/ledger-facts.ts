import {
  type AccessAnchor,
  actionName,
  decodeCommitVersions,
  decodeSinglePart,
  type RecordErasure,
  readAnchor,
  readRecordErasure,
} from '../../contracts/index.ts';
import { RESULT_CODES, type ResultCode, type Transaction } from '../../ledger/index.ts';
import { equalBytes } from '../../shared/index.ts';

/** What the ledger says that a custodian's vault must have. */
export interface LedgerFacts {
  /** Height by commitment, for every record version that was ever committed. */
  readonly commitments: ReadonlyMap<string, number>;
  readonly erasures: readonly (RecordErasure & { readonly height: number })[];
  /** Every anchor of the access log, oldest first. */
  readonly anchors: readonly (AccessAnchor & { readonly height: number })[];
}

/** Gathers the facts from the ledger's blocks, in their order. */
export class LedgerFactsGatherer implements LedgerFacts {
  readonly commitments = new Map<string, number>();
  readonly erasures: (RecordErasure & { height: number })[] = [];
  readonly anchors: (AccessAnchor & { height: number })[] = [];
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
      const isOurs = equalBytes(transaction.header.signer, this.#custodian);
      if (isOurs && code === RESULT_CODES.ok) this.#takeAction(height, transaction);
    }
  }

  #takeAction(height: number, { header, parts }: Transaction): void {
    const name = actionName(header.contract, header.action);
    if (name === 'commit-versions') {
      const batch = decodeCommitVersions(parts);
      for (const { commitment } of batch.ok ? batch.value.entries : [])
        this.commitments.set(commitmentKey(commitment), height);
    }
    if (name === 'record-erasure') {
      const erasure = decodeSinglePart(parts, readRecordErasure);
      if (erasure.ok) this.erasures.push({ ...erasure.value, height });
    }
    if (name === 'anchor-access-log') {
      const anchor = decodeSinglePart(parts, readAnchor);
      if (anchor.ok) this.anchors.push({ ...anchor.value, height });
    }
  }
}

/** 32 bytes as a string of as many characters: a million of them fit where hexadecimal ones would not. */
export function commitmentKey(commitment: Uint8Array): string {
  return Buffer.from(commitment.buffer, commitment.byteOffset, commitment.byteLength).toString('latin1');
}
