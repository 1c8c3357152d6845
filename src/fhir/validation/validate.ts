import { OperationOutcomeError, validateResource } from '@medplum/core';
import type { OperationOutcomeIssue, Resource } from '@medplum/fhirtypes';
import { loadDefinitions } from '../definitions/structure-definitions.ts';
import { isOverstrict } from './overstrict-issue.ts';
import { bindingIssues } from './required-bindings.ts';

/** Finds what is wrong with a resource, each issue located by a FHIRPath expression; none when it is valid R4. */
export type Validator = (resource: Resource) => OperationOutcomeIssue[];

export function createValidator(): Validator {
  loadDefinitions();
  return (resource) => {
    const structural = structuralIssues(resource);
    return structural.length > 0 ? structural : bindingIssues(resource);
  };
}

function structuralIssues(resource: Resource): OperationOutcomeIssue[] {
  try {
    return validateResource(resource).filter(
      (issue) => issue.severity === 'error' || issue.severity === 'fatal',
    );
  } catch (error) {
    if (error instanceof OperationOutcomeError)
      return (error.outcome.issue ?? []).filter((issue) => !isOverstrict(issue, resource));
    throw error;
  }
}
