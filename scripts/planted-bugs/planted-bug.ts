/** Bugs that break one promise each, and the tests that must notice. Nothing of this is in what ships. */
export type PlantedBug = {
  readonly name: string;
  /** What the bug breaks, in words. */
  readonly promise: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
  /** Quick enough for every check; the others run in the whole campaign. */
  readonly inSlice: boolean;
};
