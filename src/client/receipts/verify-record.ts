import { CONTRACT, NO_PATIENT, readAnchor, readRecordEntry } from '../../contracts/index.ts';
import { payloadRootOf } from '../../ledger/index.ts';
import {
  CanonicalReader,
  equalBytes,
  leafHash,
  recordCommitment,
  sha256,
  toHex,
  verifyInclusion,
} from '../../shared/index.ts';
import type { ReceiptBody, RecordOpening } from './receipt-format.ts';
import { refuseUnless } from './refusal.ts';
import { type VerifiedHead, verifyPart, verifyRecorded } from './verify-recorded.ts';
import { verifySigner } from './verify-signer.ts';
import { recordedFindings } from './verify-transaction.ts';
import { accountText, type Findings, joinFindings, signerFindings, timeText } from './words.ts';

const COMMIT_VERSIONS = 1;
const ANCHOR = 1;

export function verifyRecordVersionBody(body: ReceiptBody<'record-version'>, head: VerifiedHead): Findings {
  const leaf = verifyRecorded(body.recorded, head);
  refuseUnless(
    leaf.header.contract === CONTRACT.records && leaf.header.action === COMMIT_VERSIONS,
    'wrong-action',
  );
  refuseUnless(leaf.result.code === 0, 'transaction-refused');
  verifyPart(body.head, leaf);
  verifyPart(body.entry, leaf);
  // The first part is the head and no entry; whoever claims otherwise reads one as the other.
  refuseUnless(
    body.head.index === 0 && body.entry.index > 0 && body.head.count === body.entry.count,
    'payload-mismatch',
  );
  const author = readAuthor(body.head.bytes);
  const entry = readWhole(body.entry.bytes, readRecordEntry);
  const custodian = accountText(leaf.header.signer);
  const about = equalBytes(entry.pseudonym, NO_PATIENT)
    ? 'that is about no patient'
    : `of the patient with the pseudonym ${toHex(entry.pseudonym)}`;
  const statement =
    `${custodian} committed to one version of a record ${about}, by commitment ${toHex(entry.commitment)}, ` +
    `no later than ${timeText(leaf.timeMs)}, and named ${accountText(author.accountId)} as its author.`;
  return joinFindings(
    recordedFindings(leaf),
    signerFindings(verifySigner(leaf, body.recorded.index, body.signer, head), leaf.header.signer),
    { statements: [statement], notProven: [authorLimit(author.isSigned)] },
    openingFindings(body.opening, entry.commitment),
  );
}

export function verifyAccessEntryBody(body: ReceiptBody<'access-entry'>, head: VerifiedHead): Findings {
  const { anchor } = body;
  const leaf = verifyRecorded(anchor.recorded, head);
  refuseUnless(leaf.header.contract === CONTRACT.access && leaf.header.action === ANCHOR, 'wrong-action');
  refuseUnless(leaf.result.code === 0, 'transaction-refused');
  refuseUnless(equalBytes(payloadRootOf([anchor.payload]), leaf.header.payloadRoot), 'payload-mismatch');
  const { logSize, logRoot } = readWhole(anchor.payload, readAnchor);
  const place = { custodian: leaf.header.signer, index: body.index, leafHash: leafHash(body.entry) };
  refuseUnless(
    verifyInclusion(place.leafHash, place.index, logSize, body.path, logRoot),
    'entry-not-in-access-log',
  );
  const statement =
    `Entry ${body.index} of the access log of ${accountText(leaf.header.signer)}, with the SHA-256 ${toHex(sha256(body.entry))}, ` +
    `is among the first ${logSize} entries, which it anchored at height ${leaf.height}, ${timeText(leaf.timeMs)}. It cannot be taken out since, unless the custodian declares on the ledger that it lost the end of its log.`;
  return joinFindings(
    recordedFindings(leaf),
    signerFindings(verifySigner(leaf, anchor.recorded.index, anchor.signer, head), leaf.header.signer),
    {
      statements: [statement],
      notProven: ["That the entry tells the truth about who read what: it is the custodian's own statement."],
      accessEntry: place,
    },
  );
}

/** Payloads were decoded when the transaction was executed; here they come from a file, so they are read as strictly again. */
function readWhole<T>(bytes: Uint8Array, read: (reader: CanonicalReader) => T): T {
  const reader = new CanonicalReader(bytes);
  const value = read(reader);
  reader.end();
  return value;
}

function readAuthor(headPart: Uint8Array): { accountId: Uint8Array; isSigned: boolean } {
  return readWhole(headPart, (reader) => {
    const accountId = reader.fixed(32);
    const isSigned = reader.u8() === 1;
    if (isSigned) reader.fixed(64);
    return { accountId, isSigned };
  });
}

function authorLimit(isSigned: boolean): string {
  return isSigned
    ? "The author's own signature: it is over all entries of the batch, and this file shows one. For it you rely on the ledger's rules, which checked it."
    : 'Who wrote the record: the custodian says so, the author did not sign.';
}

function openingFindings(opening: RecordOpening | null, commitment: Uint8Array): Findings {
  if (opening === null)
    return { statements: [], notProven: ['What the record says: the file does not carry its content.'] };
  const { salt, subject, resourceType, id, version, content } = opening;
  refuseUnless(version > 0 && version <= 0xffff_ffff, 'commitment-mismatch');
  const computed = recordCommitment(salt, { resourceType, id, version }, subject, content);
  refuseUnless(equalBytes(computed, commitment), 'commitment-mismatch');
  return {
    statements: [
      `The content in the file, version ${version} of ${resourceType}/${id}, is exactly what was committed to.`,
    ],
    notProven: ['That the content is medically true, or that it is still the current version.'],
  };
}
