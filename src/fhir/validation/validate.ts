import { OperationOutcomeError, validateResource } from '@medplum/core';
import type { OperationOutcomeIssue, Resource } from '@medplum/fhirtypes';
import { loadDefinitions } from '../definitions/structure-definitions.ts';
import { type ElementRules, walkElements } from './element-walk.ts';
import { checkForm, checkObject } from './form-rules.ts';
import { located } from './issue-place.ts';
import { isOverstrict } from './overstrict-issue.ts';
import { checkBinding } from './required-bindings.ts';
import { isSurelyValid } from './surely-valid.ts';

/** Finds what is wrong with a resource, each issue located by where it stands; none when it is valid R4. */
export type Validator = (resource: Resource) => OperationOutcomeIssue[];

/** What the library below does not check, or checks without saying where. */
const OWN_RULES: ElementRules = {
  object: checkObject,
  property(property, value, path, add) {
    checkForm(property, value, path, add);
    checkBinding(property, value, path, add);
  },
};

export function createValidator(): Validator {
  loadDefinitions();
  return (resource) => (isSurelyValid(resource) ? [] : findIssues(resource));
}

/** All that is wrong, however long it takes. */
export function findIssues(resource: Resource): OperationOutcomeIssue[] {
  // First, because what follows from one of these is reported by the library at another place.
  const own = walkElements(resource, OWN_RULES);
  return own.length > 0 ? own : structuralIssues(resource);
}

function structuralIssues(resource: Resource): OperationOutcomeIssue[] {
  try {
    return validateResource(resource).filter(
      (issue) => issue.severity === 'error' || issue.severity === 'fatal',
    );
  } catch (error) {
    if (error instanceof OperationOutcomeError)
      return (error.outcome.issue ?? [])
        .map((issue) => located(issue, resource))
        .filter((issue) => !isOverstrict(issue, resource));
    throw error;
  }
}
