import {
  type Change,
  decodeSinglePart,
  encodeChange,
  ROLES,
  readChange,
  type Validator,
} from '../../contracts/index.ts';
import { AppError, compareBytes, fromHex, toHex } from '../../shared/index.ts';

/** A change in JSON; keys, proofs and ids in lower-case hexadecimal. */
export type ChangeJson =
  | {
      readonly kind: 'admit-organisation';
      readonly publicKey: string;
      readonly possessionProof: string;
      readonly roles: readonly string[];
    }
  | { readonly kind: 'remove-organisation'; readonly organisation: string }
  | { readonly kind: 'set-validators'; readonly validators: readonly ValidatorJson[] }
  | { readonly kind: 'activate-version'; readonly version: number; readonly height: number };
export type ValidatorJson = {
  readonly consensusKey: string;
  readonly organisation: string;
  readonly power: number;
};

export function changeToJson(change: Change): ChangeJson {
  switch (change.kind) {
    case 'admit-organisation': {
      const { publicKey, possessionProof, roles } = change.registration;
      return {
        kind: change.kind,
        publicKey: toHex(publicKey),
        possessionProof: toHex(possessionProof),
        roles,
      };
    }
    case 'remove-organisation':
      return { kind: change.kind, organisation: toHex(change.organisation) };
    case 'set-validators':
      return { kind: change.kind, validators: change.validators.map(validatorToJson) };
    case 'activate-version':
      return change;
  }
}

export function validatorToJson({ consensusKey, organisation, power }: Validator): ValidatorJson {
  return { consensusKey: toHex(consensusKey), organisation: toHex(organisation), power };
}

/** Builds a change from JSON of any origin. What it returns has an encoding that the ledger can read. */
export function changeFromJson(value: unknown): Change {
  const change = builtFrom(objectOf(value));
  if (decodeSinglePart([encodeChange(change)], readChange).ok) return change;
  throw malformed('a key stands twice, there are none or too many validators, or a power is above 1,000,000');
}

function builtFrom(json: Record<string, unknown>): Change {
  switch (json.kind) {
    case 'admit-organisation':
      return {
        kind: json.kind,
        registration: {
          publicKey: bytesOf(json.publicKey, 32),
          possessionProof: bytesOf(json.possessionProof, 64),
          roles: rolesOf(json.roles),
        },
      };
    case 'remove-organisation':
      return { kind: json.kind, organisation: bytesOf(json.organisation, 32) };
    case 'set-validators':
      return { kind: json.kind, validators: validatorsOf(json.validators) };
    case 'activate-version':
      return { kind: json.kind, version: numberOf(json.version, 0xffffffff), height: numberOf(json.height) };
    default:
      throw malformed(
        'its kind is none of admit-organisation, remove-organisation, set-validators, activate-version',
      );
  }
}

function validatorsOf(value: unknown): Validator[] {
  if (!Array.isArray(value) || value.length > 1000) throw malformed('it has no list of validators');
  const validators = value.map(objectOf).map(({ consensusKey, organisation, power }) => ({
    consensusKey: bytesOf(consensusKey, 32),
    organisation: bytesOf(organisation, 32),
    power: numberOf(power),
  }));
  return validators.sort((left, right) => compareBytes(left.consensusKey, right.consensusKey));
}

export function rolesOf(value: unknown): (keyof typeof ROLES)[] {
  const isRole = (role: unknown): role is keyof typeof ROLES =>
    typeof role === 'string' && Object.hasOwn(ROLES, role);
  if (Array.isArray(value) && value.length <= 16 && value.every(isRole)) return [...new Set(value)];
  throw malformed(`its roles are not a list of these: ${Object.keys(ROLES).join(', ')}`);
}

export function bytesOf(value: unknown, length: number): Uint8Array {
  const bytes = typeof value === 'string' && value.length === 2 * length ? fromHex(value) : undefined;
  if (bytes !== undefined) return bytes;
  throw malformed(`a key, proof or id is not ${2 * length} hexadecimal digits`);
}

function numberOf(value: unknown, max = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max)
    return value as number;
  throw malformed('a number is not a whole one in range');
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw malformed('it is not an object');
}

function malformed(why: string): AppError {
  return new AppError('invalid-request', `This is not a change that members can vote on: ${why}.`);
}
