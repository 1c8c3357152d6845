/**
 * What became of a transaction. Part of the protocol: numbers are appended, never changed or used again
 * (docs/protocol.md, "Result codes"). Below 100: the ledger. Then a hundred a contract.
 */
export const RESULT_CODES = {
  ok: 0,
  'malformed-transaction': 1,
  'unsupported-version': 2,
  'wrong-chain': 3,
  'unknown-action': 4,
  'malformed-payload': 5,
  'unknown-signer': 6,
  'suspended-signer': 7,
  'sequence-replayed': 8,
  'sequence-gap': 9,
  expired: 10,
  'valid-too-long': 11,
  'bad-signature': 12,

  'not-an-organisation': 100,
  'not-permitted': 101,
  'party-exists': 102,
  'unknown-party': 103,
  'bad-key': 104,
  'bad-possession-proof': 105,
  'already-suspended': 106,
  'not-suspended': 107,
  'unknown-role': 108,
  'own-suspension': 109,

  'not-a-patient': 200,
  'consent-exists': 201,
  'unknown-consent': 202,
  'not-the-patient': 203,
  'version-conflict': 204,
  'consent-revoked': 205,
  'empty-validity': 206,
  'unknown-custodian': 207,
  'delegate-exists': 208,
  'unknown-delegate': 209,

  'empty-batch': 300,
  'unknown-author': 301,
  'bad-author-signature': 302,
  'unknown-pseudonym': 303,

  'log-shrank': 400,
  'log-root-conflict': 401,

  'nothing-erased': 500,

  'not-a-member': 600,
  'bad-expiry': 601,
  'proposal-exists': 602,
  'too-many-proposals': 603,
  'unknown-proposal': 604,
  'proposal-closed': 605,
  'proposal-expired': 606,
  'already-voted': 607,
  'not-the-proposer': 608,
  'needs-a-vote': 609,
  'already-a-member': 610,
  'too-many-members': 611,
  'unknown-organisation': 612,
  'last-member': 613,
  'no-validators': 614,
  'unknown-validator': 615,
  'too-many-validators': 616,
  'too-few-validators': 617,
  'third-of-power': 618,
  'version-not-ahead': 619,
  'activation-too-soon': 620,
} as const;

export type ResultName = keyof typeof RESULT_CODES;
export type ResultCode = (typeof RESULT_CODES)[ResultName];

const NAMES = new Map<number, ResultName>(
  Object.entries(RESULT_CODES).map(([name, code]) => [code, name as ResultName]),
);

/** The name of a code, or undefined for one this software does not know. */
export function resultName(code: number): ResultName | undefined {
  return NAMES.get(code);
}

/** The outcome of a transaction, as the history log records it. */
export type TransactionResult = { readonly code: ResultCode };
