/** `Consent.provision.actor` and the references of `Consent.provision.data`. */
import { ROLES, type Role } from '../../registry/role.ts';
import {
  type FhirObject,
  type NormaliseContext,
  readConcept,
  readItems,
  readObject,
  refuseOthers,
  report,
  sortedUnique,
} from './fhir-element.ts';
import { isResourceType } from './resource-types.ts';
import {
  AUTHOR_PARTICIPATION,
  PARTICIPATION_SYSTEM,
  PRACTITIONER_ROLE_SYSTEM,
  RECIPIENT_PARTICIPATIONS,
  RECIPIENT_ROLE_CODES,
  ROLE_CODE_SYSTEM,
  ROLE_SYSTEM,
} from './terminology.ts';
import { type ActorTerm, type ProvisionTerms, TERMS_LIMITS } from './terms.ts';

/** How an account is written where FHIR wants a reference or an identifier. */
export const ACCOUNT_URN = 'urn:careledger:account:';

type ActorCriteria = Pick<ProvisionTerms, 'actors' | 'authors'>;

/** Requesters and authors. Whoever cannot be resolved to an account is an error: nobody would ever match. */
export function readActors(context: NormaliseContext, value: unknown, path: string): ActorCriteria {
  const actors: ActorTerm[] = [];
  const authors: string[] = [];
  readItems(context, value, path, TERMS_LIMITS.listLength).forEach((item, index) => {
    const place = `${path}[${index}]`;
    const actor = readObject(context, item, place);
    if (actor === undefined) return;
    refuseOthers(context, actor, place, new Set(['role', 'reference']));
    const role = readRole(context, actor.role, `${place}.role`);
    if (role === AUTHOR_PARTICIPATION)
      authors.push(...readAuthor(context, actor.reference, `${place}.reference`));
    else if (role !== undefined)
      actors.push(...readRequester(context, actor.reference, `${place}.reference`, role));
  });
  return { actors: sortActors(actors), authors: sortedUnique(authors) };
}

function sortActors(actors: readonly ActorTerm[]): ActorTerm[] {
  const keys = sortedUnique(actors.map(({ account, role }) => `${account}|${role}`));
  return keys.map((key) => ({ account: key.slice(0, 64), role: key.slice(65) }));
}

/** A registry role, `AUT` for the data's author, or empty for a requester in any role. */
function readRole(context: NormaliseContext, value: unknown, path: string): string | undefined {
  if (value === undefined) {
    report(
      context,
      path,
      'missing',
      'An actor needs a role, for example PRCP (primary information recipient).',
    );
    return undefined;
  }
  const roles = readConcept(context, value, path).map(({ system, code }) => roleOf(system, code));
  if (roles.length === 0) return undefined;
  if (roles.includes(undefined)) {
    report(
      context,
      path,
      'unknown-code',
      'This role cannot be enforced. Use PRCP, IRCP, AUT or a role of the registry.',
    );
    return undefined;
  }
  const named = sortedUnique(roles.filter((role) => role !== undefined && role !== '') as string[]);
  if (named.length <= 1 && !(named[0] === AUTHOR_PARTICIPATION && roles.includes(''))) return named[0] ?? '';
  report(context, path, 'contradiction', 'One actor cannot have two roles; write two actors.');
  return undefined;
}

/** The HL7 practitioner roles that the registry has an equal for. */
const REGISTRY_ROLE_OF: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['doctor', 'physician'],
  ['nurse', 'nurse'],
  ['pharmacist', 'pharmacist'],
  ['researcher', 'researcher'],
]);

function roleOf(system: string, code: string): string | undefined {
  if (system === PARTICIPATION_SYSTEM && RECIPIENT_PARTICIPATIONS.has(code)) return '';
  if (system === PARTICIPATION_SYSTEM && code === AUTHOR_PARTICIPATION) return AUTHOR_PARTICIPATION;
  if (system === ROLE_CODE_SYSTEM && RECIPIENT_ROLE_CODES.has(code)) return '';
  if (system === PRACTITIONER_ROLE_SYSTEM) return REGISTRY_ROLE_OF.get(code);
  return system === ROLE_SYSTEM && Object.hasOwn(ROLES, code) ? code : undefined;
}

function readRequester(context: NormaliseContext, value: unknown, path: string, role: string): ActorTerm[] {
  const account = resolveAccount(context, value, path);
  return account === undefined ? [] : [{ account, role }];
}

function readAuthor(context: NormaliseContext, value: unknown, path: string): string[] {
  const reference = readDataReference(context, value, path);
  if (reference === undefined) return [];
  const account = context.resolveActor(reference);
  return account === undefined || !isAccountId(account) ? [reference] : [reference, ACCOUNT_URN + account];
}

const REFERENCE = new Set(['reference', 'type', 'identifier', 'display']);
const isAccountId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

function resolveAccount(context: NormaliseContext, value: unknown, path: string): string | undefined {
  const element = readReference(context, value, path);
  if (element === undefined) return undefined;
  const { reference, identifier } = element;
  const found = new Set(
    [reference, identifier].filter((text) => text !== undefined).map((text) => accountOf(context, text)),
  );
  const [account] = found;
  if (found.size === 1 && account !== undefined) return account;
  report(
    context,
    path,
    found.size > 1 ? 'contradiction' : 'unresolved-reference',
    found.size > 1
      ? 'The reference and its identifier name two parties.'
      : `This party is not known here. Name it as ${ACCOUNT_URN}<account id>.`,
  );
  return undefined;
}

function accountOf(context: NormaliseContext, text: string): string | undefined {
  const account = text.startsWith(ACCOUNT_URN) ? text.slice(ACCOUNT_URN.length) : context.resolveActor(text);
  return account !== undefined && isAccountId(account) ? account : undefined;
}

interface ReferenceTexts {
  readonly reference?: string;
  readonly identifier?: string;
}

function readReference(context: NormaliseContext, value: unknown, path: string): ReferenceTexts | undefined {
  if (value === undefined) {
    report(context, path, 'missing', 'A reference is needed here.');
    return undefined;
  }
  const element = readObject(context, value, path);
  if (element === undefined) return undefined;
  refuseOthers(context, element, path, REFERENCE);
  const reference = typeof element.reference === 'string' ? element.reference : undefined;
  const identifier = readAccountIdentifier(element.identifier);
  if (reference !== undefined || identifier !== undefined) {
    return { ...(reference !== undefined && { reference }), ...(identifier !== undefined && { identifier }) };
  }
  report(
    context,
    path,
    'unresolved-reference',
    `Name the party by a reference, or as ${ACCOUNT_URN}<account id>.`,
  );
  return undefined;
}

/** An identifier counts when it is an account: as a URI (`urn:ietf:rfc:3986`), or with the account system. */
function readAccountIdentifier(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { system, value: text } = value as FhirObject;
  if (typeof text !== 'string') return undefined;
  if (system === 'urn:ietf:rfc:3986' && text.startsWith(ACCOUNT_URN)) return text;
  return system === ACCOUNT_URN.slice(0, -1) ? ACCOUNT_URN + text : undefined;
}

const LITERAL = /^([A-Za-z]{1,64})\/[A-Za-z0-9.-]{1,64}$/;

/** A literal relative reference (`Observation/1`) or an account. */
export function readDataReference(
  context: NormaliseContext,
  value: unknown,
  path: string,
): string | undefined {
  const element = readReference(context, value, path);
  if (element === undefined) return undefined;
  const text = element.reference ?? element.identifier ?? '';
  const type = LITERAL.exec(text)?.[1];
  if (type !== undefined && isResourceType(type)) return text;
  if (text.startsWith(ACCOUNT_URN) && isAccountId(text.slice(ACCOUNT_URN.length))) return text;
  report(context, path, 'unresolved-reference', 'Use a reference of the form Type/id, or an account.');
  return undefined;
}
