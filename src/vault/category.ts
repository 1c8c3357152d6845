/** The kinds of key a record may be under, least to most sensitive; the rank is the place in this list and never changes. */
export const CATEGORIES = [
  'general',
  'mental-health',
  'substance-use',
  'hiv',
  'reproductive',
  'genetic',
  'sealed',
] as const;

export type Category = (typeof CATEGORIES)[number];

/** The category whose key protects a record with these labels: the one of highest rank; a label that is none adds nothing. */
export function categoryOfLabels(labels: readonly string[]): Category {
  return CATEGORIES.findLast((category) => labels.includes(category)) ?? 'general';
}

/** Whether `value` is one of CATEGORIES. */
export function isCategory(value: string): value is Category {
  return (CATEGORIES as readonly string[]).includes(value);
}
