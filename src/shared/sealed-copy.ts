import { AppError } from './app-error.ts';
import { fromBase64, toBase64 } from './bytes.ts';
import { parseJson } from './parse-json.ts';

const FORMAT = 'careledger-sealed-copy/v1';
const HEX_32 = /^[0-9a-f]{64}$/;
const ID = /^[A-Za-z0-9.-]{1,64}$/;
const TYPE = /^[A-Za-z]{1,64}$/;
/** Nonce and tag of AES-256-GCM. */
const BOX_BYTES = 28;
const MAX_CONTENT_BYTES = 32 * 1024 * 1024 + BOX_BYTES;
/** The content in base64, and room for the rest. */
export const MAX_SEALED_COPY_BYTES = Math.ceil(MAX_CONTENT_BYTES / 3) * 4 + 4096;

/** One version of a `sealed` record with its keys, as they are stored: only the wallet it was sealed to can open it. */
export type SealedCopy = {
  readonly resourceType: string;
  readonly id: string;
  readonly version: number;
  /** Id of the Patient. */
  readonly subject: string;
  /** What the ledger has of this version. */
  readonly commitment: Uint8Array;
  /** Of the category key. */
  readonly epoch: number;
  readonly keyId: number;
  /** Keyed hashes of the custodian: what the boxes are bound to. */
  readonly recordName: Uint8Array;
  readonly subjectName: Uint8Array;
  /** Account id (hex) of the wallet that the category key is sealed to. */
  readonly grantee: string;
  /** The category key under HPKE: encapsulated key and ciphertext. */
  readonly encapsulated: Uint8Array;
  readonly sealedKey: Uint8Array;
  /** Data key and salt under the category key, content under the data key: nonce ‖ ciphertext ‖ tag. */
  readonly wrapped: Uint8Array;
  readonly content: Uint8Array;
};

type Member = string | number | Uint8Array;
type Check = (value: unknown) => Member | undefined;

/** Every member of the format, and what it has to be. */
const MEMBERS: Readonly<Record<keyof SealedCopy, Check>> = {
  resourceType: textLike(TYPE),
  id: textLike(ID),
  version: positive,
  subject: textLike(ID),
  commitment: bytesOf(32),
  epoch: positive,
  keyId: positive,
  recordName: bytesOf(16),
  subjectName: bytesOf(16),
  grantee: textLike(HEX_32),
  encapsulated: bytesOf(32),
  sealedKey: bytesOf(32 + 16),
  wrapped: bytesOf(32 + 32 + BOX_BYTES),
  content: bytesOf(BOX_BYTES, MAX_CONTENT_BYTES),
};

/** The JSON of a copy: format `careledger-sealed-copy/v1`, bytes in base64. */
export function encodeSealedCopy(copy: SealedCopy): string {
  const members = Object.keys(MEMBERS).map((name) => {
    const value = copy[name as keyof SealedCopy];
    return [name, value instanceof Uint8Array ? toBase64(value) : value];
  });
  return JSON.stringify({ format: FORMAT, ...Object.fromEntries(members) });
}

/** Reads a copy that came from elsewhere. Throws AppError `malformed-json` for anything but exactly one. */
export function parseSealedCopy(bytes: Uint8Array): SealedCopy {
  if (bytes.length > MAX_SEALED_COPY_BYTES) throw noCopy();
  const value = parseJson(bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw noCopy();
  const { format, ...members } = value as Record<string, unknown>;
  if (format !== FORMAT || Object.keys(members).length !== Object.keys(MEMBERS).length) throw noCopy();
  const checked = Object.entries(MEMBERS).map(([name, check]) => {
    const member = check(members[name]);
    if (member === undefined) throw noCopy();
    return [name, member];
  });
  return Object.fromEntries(checked) as SealedCopy;
}

function noCopy(): AppError {
  return new AppError(
    'malformed-json',
    `This is no sealed copy of a record (${FORMAT}), or it is damaged. Ask the node for it again.`,
  );
}

function textLike(pattern: RegExp): Check {
  return (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined);
}

function positive(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : undefined;
}

/** Base64 of that many bytes, or of at least and at most so many. */
function bytesOf(least: number, most = least): Check {
  return (value) => {
    const bytes = typeof value === 'string' ? fromBase64(value) : undefined;
    return bytes !== undefined && bytes.length >= least && bytes.length <= most ? bytes : undefined;
  };
}
