import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import { InvalidResourceError, LocatedError } from '../http/outcome.ts';

/** The first failure ends the transaction; its issues say in which entry they are. */
export async function located<T>(place: number, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InvalidResourceError)
      throw new InvalidResourceError(error.issues.map((issue) => withEntry(issue, place)));
    if (error instanceof AppError)
      throw new LocatedError(error.code, error.message, `Bundle.entry[${place}]`, { cause: error });
    throw error;
  }
}

function withEntry(issue: OperationOutcomeIssue, place: number): OperationOutcomeIssue {
  const within = (path: string) =>
    `Bundle.entry[${place}].resource.${path.replace(/^[A-Z]\w*\.?/, '')}`.replace(/\.$/, '');
  return { ...issue, expression: (issue.expression ?? ['']).map(within) };
}
