import { fromUtf8 } from '../../shared/index.ts';
import { MAX_FIND_LIMIT, type Vault } from '../../vault/index.ts';
import { holderToken, readStoredHolders } from '../labels/index.ts';
import { isObject, type JsonObject, localReferencesOf } from '../labels/resource-walk.ts';

/** A PractitionerRole (`PractitionerRole/1`), and whether it was never somebody else's. */
export interface HeldRole {
  readonly role: string;
  readonly isTheirsAlone: boolean;
}

const NEWEST_VERSIONS = 20;

/**
 * What a stored record refers to, for consents about a record and all that is related to it. It opens the record inside the gate;
 * only the references are kept, and only to decide. A deleted record still relates what it did. Gives undefined when it
 * cannot be told: an unknown relation then permits nothing and withholds all it might withhold.
 */
export function storedReferences(vault: Pick<Vault, 'history'>, ownBase: () => string) {
  return async (reference: string): Promise<readonly string[] | undefined> => {
    const [resourceType = '', id = ''] = reference.split('/');
    try {
      const versions = await vault.history({ resourceType, id, limit: NEWEST_VERSIONS });
      const newest = versions.find(({ deleted }) => !deleted);
      if (newest === undefined) return versions.length === 0 ? [] : undefined;
      const content: unknown = JSON.parse(fromUtf8(await newest.open()) ?? 'null');
      return isObject(content) ? localReferencesOf(content as JsonObject, ownBase()) : undefined;
    } catch {
      // Sealed to the patient, erased or damaged. The audit names what is damaged.
      return undefined;
    }
  };
}

/** The PractitionerRoles that are or were a Practitioner's, deleted ones too, without their content. */
export function storedRoles(vault: Pick<Vault, 'find'>) {
  return async (practitioner: string): Promise<readonly HeldRole[]> => {
    const found = await vault.find({
      types: ['PractitionerRole'],
      where: { token: holderToken(practitioner) },
      withDeleted: true,
      limit: MAX_FIND_LIMIT,
    });
    return found.map(({ key, labels }) => ({
      role: `${key.resourceType}/${key.id}`,
      isTheirsAlone: readStoredHolders(labels).length === 1,
    }));
  };
}
