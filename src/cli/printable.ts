/** Characters that move the cursor, change what was shown before, hide, or turn the direction of reading. */
const TRICKS = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

/**
 * Text of a node or a file as it may stand in one line that a person reads: it ends no line and says nothing to the terminal. The
 * escapes are those of JSON, whose meaning stays the same.
 */
export function printable(text: string): string {
  return text.replace(TRICKS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The same for a text of several lines, each of which was made printable where it came from others. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
