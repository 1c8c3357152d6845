import type { Checkpoint, PromiseState, ResultCode, WitnessStatement } from '../../ledger/index.ts';
import { DecodeError, fromUtf8, unreachable } from '../../shared/index.ts';
import { parseReceipt, type Receipt, type ReceiptKind } from './receipt-format.ts';
import { ProofRefused, REFUSALS, type RefusalCode } from './refusal.ts';
import type { VerifiedConsensus } from './verify-consensus.ts';
import { verifyAccessEntryBody, verifyRecordVersionBody } from './verify-record.ts';
import { type Trust, type VerifiedHead, verifyHead } from './verify-recorded.ts';
import { verifyAccountKeyBody } from './verify-signer.ts';
import { verifyStateBody } from './verify-state.ts';
import { verifyConsentBody, verifyTransactionBody } from './verify-transaction.ts';
import { type AccessEntryPlace, type Findings, headFindings, joinFindings } from './words.ts';

/** What a verified file is about, and who signed the head that it rests on. */
export type VerifiedProof = {
  readonly ok: true;
  readonly code: 'verified';
  readonly kind: ReceiptKind | 'checkpoint' | 'promise';
  readonly checkpoint: Checkpoint;
  readonly witnesses: readonly WitnessStatement[];
  /** Whose validators decided the head, in a consortium. */
  readonly consensus?: VerifiedConsensus;
  /** The recorded transaction that the file is about, where it is about one. */
  readonly transactionId?: Uint8Array;
  /** What the ledger said to it: recorded is not accepted. */
  readonly resultCode?: ResultCode;
  /** What became of the promise that the file is about, where it is about one. */
  readonly promise?: PromiseState;
  /** The place in a custodian's access log that the file is about, where it is about one. */
  readonly accessEntry?: AccessEntryPlace;
  readonly statements: readonly string[];
  readonly notProven: readonly string[];
};

export type RefusedProof = {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly statements: readonly string[];
  readonly notProven: readonly string[];
};

export type ProofVerdict = VerifiedProof | RefusedProof;

/** Checks a receipt offline and says in plain words what it proves, by whose signature, and what it does not prove. */
export function verifyReceipt(source: string | Uint8Array, trust: Trust = {}): ProofVerdict {
  return verdictOf(() => {
    const text = typeof source === 'string' ? source : fromUtf8(source);
    if (text === undefined) throw new ProofRefused('receipt-malformed');
    const receipt = parseReceipt(text);
    if (!receipt.ok) throw new ProofRefused(receipt.error);
    const head = verifyHead(receipt.value, trust);
    return verified(
      receipt.value.kind,
      head,
      joinFindings(headFindings(head, trust), bodyFindings(receipt.value, head)),
    );
  });
}

/** Runs a verification; a refusal becomes data, and so does a field whose bytes are not canonical. */
export function verdictOf(verify: () => VerifiedProof): ProofVerdict {
  try {
    return verify();
  } catch (error) {
    if (error instanceof ProofRefused) return refused(error.code, error.message);
    if (error instanceof DecodeError) return refused('payload-mismatch');
    throw error;
  }
}

export function verified(kind: VerifiedProof['kind'], head: VerifiedHead, findings: Findings): VerifiedProof {
  const { checkpoint, witnesses, consensus } = head;
  const decided = consensus === undefined ? {} : { consensus };
  return { ok: true, code: 'verified', kind, checkpoint, witnesses, ...decided, ...findings };
}

function refused(code: RefusalCode, why: string = REFUSALS[code]): RefusedProof {
  return { ok: false, code, statements: [], notProven: [`Nothing is proven. ${why}`] };
}

function bodyFindings(receipt: Receipt, head: VerifiedHead): Findings {
  switch (receipt.kind) {
    case 'transaction':
      return verifyTransactionBody(receipt.body, head);
    case 'record-version':
      return verifyRecordVersionBody(receipt.body, head);
    case 'access-entry':
      return verifyAccessEntryBody(receipt.body, head);
    case 'state':
      return verifyStateBody(receipt.body, head);
    case 'consent':
      return verifyConsentBody(receipt.body, head);
    case 'account-key':
      return verifyAccountKeyBody(receipt.body, head);
    case 'head':
      return { statements: [], notProven: [] };
    default:
      return unreachable(receipt);
  }
}
