import {
  actionName,
  CONTRACT,
  consentKey,
  decodeConsent,
  decodeConsentTerms,
  readGrantConsent,
  readReplaceConsent,
  termsCommitment,
} from '../../contracts/index.ts';
import {
  decodeTransaction,
  encodeTransaction,
  type LogLeaf,
  transactionId,
  verifyStateProof,
} from '../../ledger/index.ts';
import { CanonicalReader, equalBytes, toHex } from '../../shared/index.ts';
import { termsInWords } from './consent-words.ts';
import type { ReceiptBody } from './receipt-format.ts';
import { ProofRefused, refuseUnless } from './refusal.ts';
import { type VerifiedHead, verifyRecorded } from './verify-recorded.ts';
import { verifySigner } from './verify-signer.ts';
import { accountText, type Findings, joinFindings, resultText, signerFindings, timeText } from './words.ts';

const GRANT = 1;
const REVOKE = 3;

export function verifyTransactionBody(body: ReceiptBody<'transaction'>, head: VerifiedHead): Findings {
  const leaf = verifyRecorded(body.recorded, head);
  if (body.transaction !== null) verifyPayload(body.transaction, leaf);
  const findings = recordedFindings(leaf);
  if (body.transaction === null)
    findings.notProven.push('What the payload of the transaction says: the file does not carry it.');
  return joinFindings(
    findings,
    signerFindings(verifySigner(leaf, body.recorded.index, body.signer, head), leaf.header.signer),
  );
}

export function verifyConsentBody(body: ReceiptBody<'consent'>, head: VerifiedHead): Findings {
  const leaf = verifyRecorded(body.recorded, head);
  const { contract, action } = leaf.header;
  refuseUnless(contract === CONTRACT.consent && action >= GRANT && action <= REVOKE, 'wrong-action');
  refuseUnless(leaf.result.code === 0, 'transaction-refused');
  const change = consentChangeOf(verifyPayload(body.transaction, leaf), action);
  return joinFindings(
    recordedFindings(leaf),
    signerFindings(verifySigner(leaf, body.recorded.index, body.signer, head), leaf.header.signer),
    changeFindings(change),
    openedTerms(body.opening, change),
    currentConsent(body.state, change, head),
  );
}

/** The whole transaction must be the one of the leaf: same header, same signature, and the payload that the header names. */
function verifyPayload(bytes: Uint8Array, leaf: LogLeaf): readonly Uint8Array[] {
  const transaction = decodeTransaction(bytes);
  refuseUnless(transaction.ok, 'payload-mismatch');
  const { parts } = transaction.value;
  refuseUnless(
    equalBytes(encodeTransaction({ header: leaf.header, signature: leaf.signature, parts }), bytes),
    'payload-mismatch',
  );
  return parts;
}

export function recordedFindings(leaf: LogLeaf): Findings {
  const { contract, action, signer, sequence } = leaf.header;
  const name = actionName(contract, action) ?? `of type ${contract}.${action}`;
  const statement =
    `Transaction ${toHex(transactionId(leaf.header))} (${name}) of ${accountText(signer)}, number ${sequence} of that account, ` +
    `is recorded at height ${leaf.height}, ${timeText(leaf.timeMs)}; ${resultText(leaf.result.code)}.`;
  const { code: resultCode } = leaf.result;
  return { statements: [statement], notProven: [], transactionId: transactionId(leaf.header), resultCode };
}

type ConsentChange = {
  readonly consentId: Uint8Array;
  readonly version: number;
  readonly terms: {
    readonly commitment: Uint8Array;
    readonly validFromMs: number;
    readonly validUntilMs: number;
  } | null;
};

function consentChangeOf(parts: readonly Uint8Array[], action: number): ConsentChange {
  const reader = new CanonicalReader(parts[0] as Uint8Array);
  if (action === REVOKE) return { consentId: reader.fixed(32), version: reader.u32() + 1, terms: null };
  const payload = action === GRANT ? readGrantConsent(reader) : readReplaceConsent(reader);
  reader.end();
  const { consentId, termsCommitment: commitment, validFromMs, validUntilMs } = payload;
  const version = 'expectedVersion' in payload ? payload.expectedVersion + 1 : 1;
  return { consentId, version, terms: { commitment, validFromMs, validUntilMs } };
}

function changeFindings({ consentId, version, terms }: ConsentChange): Findings {
  const name = `consent ${toHex(consentId)}`;
  if (terms === null) return { statements: [`It revokes ${name}, as version ${version}.`], notProven: [] };
  const validity = `valid from ${timeText(terms.validFromMs)} until before ${timeText(terms.validUntilMs)}`;
  return {
    statements: [`It sets version ${version} of ${name}, ${validity}, with a commitment to its terms.`],
    notProven: [],
  };
}

function openedTerms(opening: ReceiptBody<'consent'>['opening'], change: ConsentChange): Findings {
  if (change.terms === null) {
    refuseUnless(opening === null, 'commitment-mismatch');
    return { statements: [], notProven: [] };
  }
  if (opening === null)
    return {
      statements: [],
      notProven: ['What the terms of the consent say: the file does not open the commitment.'],
    };
  const terms = decodeConsentTerms(opening.terms);
  if (!terms.ok) throw new ProofRefused('commitment-mismatch');
  refuseUnless(
    equalBytes(termsCommitment(opening.salt, terms.value), change.terms.commitment),
    'commitment-mismatch',
  );
  return {
    statements: [
      'The terms in the file are those that were committed to. They say:',
      ...termsInWords(terms.value),
    ],
    notProven: [],
  };
}

function currentConsent(
  state: ReceiptBody<'consent'>['state'],
  change: ConsentChange,
  head: VerifiedHead,
): Findings {
  const { height, stateRoot } = head.checkpoint;
  if (state === null)
    return { statements: [], notProven: ['Whether the consent was changed or revoked later.'] };
  refuseUnless(
    verifyStateProof(stateRoot, consentKey(change.consentId), state.value, state.proof),
    'state-proof-invalid',
  );
  const consent = decodeConsent(state.value);
  return {
    statements: [`At height ${height} this consent is ${consent.status}, at version ${consent.version}.`],
    notProven: [],
  };
}
