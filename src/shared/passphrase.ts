/**
 * A passphrase as keys are derived from it: NFKC, so that it is one whatever keyboard composed its accents (RFC 8265
 * section 4.2).
 */
export function normalPassphrase(passphrase: string): string {
  return passphrase.normalize('NFKC');
}

/** The forms to try on a file, likeliest first: it may have been made from the passphrase as it was typed. */
export function passphraseForms(passphrase: string): readonly string[] {
  return [...new Set([normalPassphrase(passphrase), passphrase])];
}
