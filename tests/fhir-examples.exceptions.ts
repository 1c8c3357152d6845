/** Official R4 examples that are refused, and why. Each breaks a rule of R4 itself, or a limit that is said here. */
const NO_LINK_ID = 'leaves out a property that R4 requires';
const NO_BASE = 'breaks sdf-4: a structure that is not abstract has a baseDefinition';
const BASE64 = 'has base64 that is broken by a placeholder or by white space within a group of four';
const CODE =
  'has a code with white space that R4 does not allow (code: no leading, trailing or double spaces)';
const TOO_LONG = 'has a string over 1 MB, which R4 forbids (string: 1024*1024 characters)';
const FULL_URL = 'breaks bdl-7: two entries with one fullUrl';
const LONG_ID = 'has an id of more than 64 characters';

export const REASONS: readonly { readonly reason: string; readonly issue: RegExp }[] = [
  { reason: NO_LINK_ID, issue: /Missing required property/ },
  { reason: NO_BASE, issue: /sdf-4/ },
  { reason: BASE64, issue: /Invalid base64Binary format/ },
  { reason: CODE, issue: /Invalid code format/ },
  { reason: TOO_LONG, issue: /larger than 1 MB/ },
  { reason: FULL_URL, issue: /bdl-7/ },
  { reason: LONG_ID, issue: /An id has 1 to 64/ },
];

/** How many of all 5,306 examples are refused, by reason; measured, so that a change of the validator shows. */
export const REFUSED_OF_ALL = 26;
