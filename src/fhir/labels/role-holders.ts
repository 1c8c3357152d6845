import type { Resource } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import { exactToken, type IndexToken } from '../../vault/index.ts';
import { localReference } from '../definitions/references.ts';

/**
 * Every Practitioner (`Practitioner/1`) whose role a PractitionerRole has ever been. What was authored in a role stays with who
 * had it then, whoever the role is given to afterwards, and when it is deleted. Kept as marks among the labels of its versions.
 */
const HELD_BY = 'held-by:';
const MAX_HOLDERS = 100;

export function isHolderMark(text: string): boolean {
  return text.startsWith(HELD_BY);
}

export function toStoredHolders(holders: readonly string[]): string[] {
  return holders.map((holder) => HELD_BY + holder);
}

export function readStoredHolders(stored: readonly string[]): string[] {
  return stored.filter(isHolderMark).map((mark) => mark.slice(HELD_BY.length));
}

/** Those of the version before, and who has the role by the new one. */
export function holdersAfter(
  stored: readonly string[],
  resource: Resource,
  ownBase: string,
): readonly string[] {
  if (resource.resourceType !== 'PractitionerRole') return [];
  const { reference } = resource.practitioner ?? {};
  const now = reference === undefined ? [] : [localReference(reference, ownBase)];
  const holders = [...new Set([...readStoredHolders(stored), ...now])].sort();
  if (holders.length > MAX_HOLDERS)
    throw new AppError(
      'invalid-resource',
      `A PractitionerRole has had ${MAX_HOLDERS} practitioners at most. Make another one.`,
    );
  return holders;
}

/** What the roles of a Practitioner are found by; no search asks for it. */
export function holderToken(practitioner: string): IndexToken {
  return exactToken('held-by', 'reference', practitioner);
}
