/** What each error means at every edge: its HTTP status, its FHIR issue type, and the exit code of a command. */
export type ErrorEntry = {
  readonly httpStatus: number;
  readonly issueType: string;
  readonly exitCode: number;
};

/** What is wrong with CareLedger itself. */
const OUR_FAULT_EXIT = 1;
const BAD_INPUT_EXIT = 2;
const REFUSED_EXIT = 3;
const NOT_FOUND_EXIT = 4;
const DAMAGED_EXIT = 5;
/** The same command may do it a little later. */
const UNAVAILABLE_EXIT = 6;
/** Trying again does not help: something on this machine has to be put right before. */
const FIX_FIRST_EXIT = 7;

function entry(httpStatus: number, issueType: string, exitCode: number): ErrorEntry {
  return { httpStatus, issueType, exitCode };
}

/** One row a code. Codes are stable: a row is never renamed or given another meaning. */
export const ERROR_TABLE = {
  'malformed-json': entry(400, 'structure', BAD_INPUT_EXIT),
  'invalid-request': entry(400, 'invalid', BAD_INPUT_EXIT),
  'invalid-resource': entry(422, 'invalid', BAD_INPUT_EXIT),
  'invalid-consent': entry(422, 'business-rule', BAD_INPUT_EXIT),
  'invalid-search': entry(400, 'invalid', BAD_INPUT_EXIT),
  unsupported: entry(400, 'not-supported', BAD_INPUT_EXIT),
  usage: entry(400, 'invalid', BAD_INPUT_EXIT),
  'nesting-too-deep': entry(400, 'too-long', BAD_INPUT_EXIT),
  'body-too-large': entry(413, 'too-long', BAD_INPUT_EXIT),
  'too-many': entry(413, 'too-costly', BAD_INPUT_EXIT),
  'unsupported-media-type': entry(415, 'not-supported', BAD_INPUT_EXIT),
  'not-acceptable': entry(406, 'not-supported', BAD_INPUT_EXIT),
  'method-not-allowed': entry(405, 'not-supported', BAD_INPUT_EXIT),
  'request-aborted': entry(400, 'incomplete', BAD_INPUT_EXIT),
  'token-missing': entry(401, 'login', REFUSED_EXIT),
  'token-invalid': entry(401, 'login', REFUSED_EXIT),
  'token-refused': entry(401, 'login', REFUSED_EXIT),
  'claim-refused': entry(403, 'forbidden', REFUSED_EXIT),
  forbidden: entry(403, 'forbidden', REFUSED_EXIT),
  'too-many-requests': entry(429, 'throttled', REFUSED_EXIT),
  'not-found': entry(404, 'not-found', NOT_FOUND_EXIT),
  gone: entry(410, 'deleted', NOT_FOUND_EXIT),
  conflict: entry(409, 'conflict', REFUSED_EXIT),
  'precondition-failed': entry(412, 'conflict', REFUSED_EXIT),
  'transaction-refused': entry(422, 'business-rule', REFUSED_EXIT),
  'malformed-transaction': entry(400, 'invalid', BAD_INPUT_EXIT),
  'enrolment-refused': entry(403, 'forbidden', REFUSED_EXIT),
  busy: entry(503, 'transient', UNAVAILABLE_EXIT),
  closed: entry(503, 'transient', UNAVAILABLE_EXIT),
  unavailable: entry(503, 'transient', UNAVAILABLE_EXIT),
  timeout: entry(504, 'timeout', UNAVAILABLE_EXIT),
  behind: entry(503, 'transient', UNAVAILABLE_EXIT),
  'port-in-use': entry(500, 'exception', FIX_FIRST_EXIT),
  'admin-socket-failed': entry(500, 'exception', FIX_FIRST_EXIT),
  'folder-in-use': entry(500, 'exception', FIX_FIRST_EXIT),
  'folder-not-writable': entry(500, 'exception', FIX_FIRST_EXIT),
  'folder-not-empty': entry(500, 'exception', FIX_FIRST_EXIT),
  'folder-not-initialised': entry(500, 'exception', FIX_FIRST_EXIT),
  'disk-full': entry(507, 'no-store', FIX_FIRST_EXIT),
  'file-failed': entry(500, 'exception', FIX_FIRST_EXIT),
  'storage-failed': entry(500, 'exception', FIX_FIRST_EXIT),
  'audit-failed': entry(500, 'exception', UNAVAILABLE_EXIT),
  'wrong-passphrase': entry(500, 'security', REFUSED_EXIT),
  'upgrade-needed': entry(503, 'exception', FIX_FIRST_EXIT),
  'wrong-genesis': entry(500, 'exception', REFUSED_EXIT),
  damaged: entry(500, 'exception', DAMAGED_EXIT),
  'proof-refused': entry(422, 'security', DAMAGED_EXIT),
  'forked-head': entry(409, 'security', DAMAGED_EXIT),
  'promise-broken': entry(409, 'security', DAMAGED_EXIT),
  erased: entry(410, 'deleted', NOT_FOUND_EXIT),
  'record-sealed': entry(403, 'forbidden', REFUSED_EXIT),
  'token-replayed': entry(401, 'login', REFUSED_EXIT),
  'token-request-invalid': entry(400, 'invalid', BAD_INPUT_EXIT),
  'grant-type-unsupported': entry(400, 'not-supported', BAD_INPUT_EXIT),
  'passphrase-missing': entry(500, 'security', REFUSED_EXIT),
  'node-not-running': entry(503, 'transient', UNAVAILABLE_EXIT),
  'node-unreachable': entry(503, 'transient', UNAVAILABLE_EXIT),
  internal: entry(500, 'exception', OUR_FAULT_EXIT),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** Thrown at the edges. The message tells the reader what to do next, and never holds personal data, a token or a key. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
