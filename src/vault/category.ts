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

/** HL7 v3-ActCode sensitivity codes and the category whose key protects them. */
const CATEGORY_OF_LABEL: ReadonlyMap<string, Category> = new Map<string, Category>([
  ...CATEGORIES.map((category): [string, Category] => [category, category]),
  ['PSY', 'mental-health'],
  ['MH', 'mental-health'],
  ['PSYTHPN', 'mental-health'],
  ['ETH', 'substance-use'],
  ['ETHUD', 'substance-use'],
  ['SUD', 'substance-use'],
  ['OPIOIDUD', 'substance-use'],
  ['HIV', 'hiv'],
  ['STD', 'hiv'],
  ['SEX', 'reproductive'],
  ['REPRO', 'reproductive'],
  ['GDIS', 'genetic'],
]);

/** The category whose key protects a record with these labels: the one of highest rank; a label without one adds nothing. */
export function categoryOfLabels(labels: readonly string[]): Category {
  const ranks = labels.map((label) => CATEGORIES.indexOf(CATEGORY_OF_LABEL.get(label) ?? 'general'));
  return CATEGORIES[Math.max(0, ...ranks)] ?? 'general';
}

/** Whether `value` is one of CATEGORIES. */
export function isCategory(value: string): value is Category {
  return (CATEGORIES as readonly string[]).includes(value);
}
