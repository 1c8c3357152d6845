import type { OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes';
import { AppError, ERROR_TABLE, type ErrorCode } from '../../shared/index.ts';

const ERROR_SYSTEM = 'urn:careledger:error';
const INTERNAL =
  'The node failed in a way it did not expect. Nothing was changed; its log has the request id.';

/** A refusal that carries several located issues. */
export class InvalidResourceError extends AppError {
  readonly issues: readonly OperationOutcomeIssue[];

  constructor(issues: readonly OperationOutcomeIssue[]) {
    super('invalid-resource', 'The resource is not valid R4. Each issue names the element.');
    this.issues = issues;
  }
}

/** A refusal of one entry of a bundle. */
export class LocatedError extends AppError {
  readonly expression: string;

  constructor(code: ErrorCode, message: string, expression: string, options?: ErrorOptions) {
    super(code, message, options);
    this.expression = expression;
  }
}

/** Issues with our code for them. */
function withCode(code: ErrorCode, issues: readonly OperationOutcomeIssue[] = []): OperationOutcome {
  const coding = [{ system: ERROR_SYSTEM, code }];
  const issue = issues.map((one) => ({ ...one, details: { coding, ...one.details } }));
  return { resourceType: 'OperationOutcome', issue };
}

export function outcomeOf(code: ErrorCode, text: string, expression?: string): OperationOutcome {
  const issue = {
    severity: 'error' as const,
    code: ERROR_TABLE[code].issueType,
    details: { coding: [{ system: ERROR_SYSTEM, code }], text },
    ...(expression !== undefined && { expression: [expression] }),
  };
  return { resourceType: 'OperationOutcome', issue: [issue as OperationOutcomeIssue] };
}

/** What a thrown error tells the caller. Errors that nobody foresaw say nothing of what was in them. */
export function outcomeOfError(error: unknown): { status: number; outcome: OperationOutcome } {
  if (error instanceof InvalidResourceError)
    return { status: 422, outcome: withCode(error.code, error.issues) };
  if (error instanceof AppError) {
    const expression = error instanceof LocatedError ? error.expression : undefined;
    const outcome = outcomeOf(error.code, error.message, expression);
    return { status: ERROR_TABLE[error.code].httpStatus, outcome };
  }
  return { status: 500, outcome: outcomeOf('internal', INTERNAL) };
}
