import { randomBytes } from 'node:crypto';

/** Crockford's base 32: no letter that is read as a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CODE_CHARS = 16;
const GROUP_CHARS = 4;

/** A one-time code of 80 random bits, in groups that can be read out: `7Q2M-K0XD-9FTA-31ZB`. */
export function newEnrolmentCode(): string {
  const characters = [...randomBytes(CODE_CHARS)].map((byte) => ALPHABET[byte & 31]).join('');
  return (characters.match(new RegExp(`.{${GROUP_CHARS}}`, 'g')) ?? []).join('-');
}

/** A code as a person may type it: any case, spaces or dashes, O for 0 and I or L for 1. */
export function normaliseEnrolmentCode(typed: string): string {
  const characters = typed.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
  return (characters.match(new RegExp(`.{1,${GROUP_CHARS}}`, 'g')) ?? []).join('-');
}
