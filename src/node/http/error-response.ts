import { outcomeOfError } from '../../fhir/index.ts';
import { AppError, ERROR_TABLE } from '../../shared/index.ts';

/** What an HTTP edge sends: a status, headers and the exact body. */
export interface HttpReply {
  status: number;
  headers: Record<string, string>;
  body: string | Uint8Array;
}

interface ErrorFacts {
  code: string;
  status: number;
  detail: string;
}

/** What may be told about an error: a known one says its message, anything else only that we failed. */
function errorFacts(error: unknown): ErrorFacts {
  if (!(error instanceof AppError)) {
    return {
      code: 'internal',
      status: 500,
      detail: 'The node failed on this request.',
    };
  }
  const row = ERROR_TABLE[error.code];
  return { code: error.code, status: row.httpStatus, detail: error.message };
}

function extraHeaders(facts: ErrorFacts): Record<string, string> {
  if (facts.status === 401)
    return { 'www-authenticate': `Bearer realm="careledger", error="${bearerError(facts.code)}"` };
  if (facts.status === 429 || facts.status === 503) return { 'retry-after': '5' };
  return {};
}

/** RFC 6750 section 3.1: a missing token gets no error code of its own, a bad one `invalid_token`. */
function bearerError(code: string): string {
  return code === 'token-missing' ? 'invalid_request' : 'invalid_token';
}

/** RFC 9457 problem details, for everything that is not FHIR. */
export function problemReply(error: unknown): HttpReply {
  const facts = errorFacts(error);
  const problem = { type: 'about:blank', title: facts.code, status: facts.status, detail: facts.detail };
  return {
    status: facts.status,
    headers: { 'content-type': 'application/problem+json', ...extraHeaders(facts) },
    body: JSON.stringify(problem),
  };
}

/** The same as an OperationOutcome, for `/fhir`. */
export function operationOutcomeReply(error: unknown): HttpReply {
  const { status, outcome } = outcomeOfError(error);
  return {
    status,
    headers: { 'content-type': 'application/fhir+json; charset=utf-8', ...extraHeaders(errorFacts(error)) },
    body: JSON.stringify(outcome),
  };
}
