/**
 * One searchable value of a record, in the clear and in memory only. `param` is the search parameter's code, `kind`
 * separates spaces of values that must never meet (see the functions beside this file), `value` is normalised.
 */
export type IndexToken = { readonly param: string; readonly kind: string; readonly value: string };

/** One value to look for; the same shape, since the same keyed hash is made of both. */
export type QueryToken = IndexToken;
