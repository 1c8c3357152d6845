import type { JWTPayload } from 'jose';
import { isPurpose } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { RegisteredParty } from './registry-view.ts';

const MAX_CLAIMED_ROLES = 32;
const ACT_REASON = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';

/** What a session may act as, after the registry has borne the claims out. */
export interface BelievedClaims {
  organisation: string;
  roles: string[];
  purpose: string;
}

/**
 * Reads the IUA claims (IHE IUA, ITI-71: `extensions.ihe_iua`) and believes each only as far as the registry bears it out:
 * the organisation must be the registered one, a role must be among the registered ones, a purpose must be known, and a
 * patient has no purpose but the patient's own request.
 */
export function believedClaims(claims: JWTPayload, party: RegisteredParty): BelievedClaims {
  const iua = iuaExtension(claims);
  const organisation = oneCode(iua.subject_organization_id, 'subject_organization_id');
  if (organisation !== undefined && stripOid(organisation) !== party.organisation) {
    throw refused('The claimed organisation is not the one this account is registered under.');
  }
  return { organisation: party.organisation, roles: rolesOf(iua, party), purpose: purposeOf(iua, party) };
}

function iuaExtension(claims: JWTPayload): Record<string, unknown> {
  const extensions = claims.extensions;
  if (extensions === undefined) return {};
  if (!isRecord(extensions)) throw refused('`extensions` must be an object.');
  const iua = extensions.ihe_iua;
  if (iua === undefined) return {};
  if (!isRecord(iua)) throw refused('`extensions.ihe_iua` must be an object.');
  return iua;
}

function rolesOf(iua: Record<string, unknown>, party: RegisteredParty): string[] {
  const claimed = codes(iua.subject_role, 'subject_role');
  if (claimed.length === 0) return [...party.roles];
  const unknown = claimed.filter((role) => !party.roles.includes(role));
  if (unknown.length > 0) throw refused('A claimed role is not among those this account is registered with.');
  return claimed;
}

function purposeOf(iua: Record<string, unknown>, party: RegisteredParty): string {
  const claimed = oneCode(iua.purpose_of_use, 'purpose_of_use');
  const purpose =
    claimed ?? (party.kind === 'patient' ? 'PATRQT' : party.kind === 'organisation' ? undefined : 'TREAT');
  if (purpose === undefined)
    throw refused('An organisation must say its purpose of use (extensions.ihe_iua.purpose_of_use).');
  if (!isPurpose(purpose)) throw refused('The purpose of use is not one this node knows.');
  if ((party.kind === 'patient') !== (purpose === 'PATRQT')) {
    throw refused('PATRQT is the purpose of patients, and their only one.');
  }
  return purpose;
}

function oneCode(value: unknown, name: string): string | undefined {
  const all = codes(value, name);
  if (all.length > 1) throw refused(`Claim one ${name} for each token.`);
  return all[0];
}

/** A code may come as a string, as a coding `{system, code}`, or as a list of either. */
function codes(value: unknown, name: string): string[] {
  if (value === undefined) return [];
  const items = Array.isArray(value) ? value : [value];
  if (items.length > MAX_CLAIMED_ROLES) throw refused(`Too many values in ${name}.`);
  return items.map((item: unknown) => {
    if (typeof item === 'string' && item.length <= 128) return item;
    if (isRecord(item) && typeof item.code === 'string' && systemFits(item.system, name)) return item.code;
    throw refused(`${name} must be a code or a coding.`);
  });
}

function systemFits(system: unknown, name: string): boolean {
  return (
    system === undefined ||
    (typeof system === 'string' && (name !== 'purpose_of_use' || system === ACT_REASON))
  );
}

function stripOid(organisation: string): string {
  return organisation.replace(/^urn:careledger:account:/, '');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(message: string): AppError {
  return new AppError('claim-refused', message);
}
