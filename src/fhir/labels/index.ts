/** Sensitivity labels: which records are sensitive, assigned when they are written. */
export {
  type AssignOptions,
  assignLabels,
  definingReferences,
  type LabelAssignment,
  readStoredLabels,
  toStoredLabels,
  UNDEFINED_YET,
} from './assign.ts';
export { labelTableWith } from './label-file.ts';
export { DEFAULT_LABEL_TABLE, extendLabelTable, type LabelTable } from './label-table.ts';
export {
  isPlacementOpen,
  isStoredMark,
  type NamedPatients,
  NOBODY_ELSE,
  OPEN_PLACEMENT,
  readStoredNames,
  toStoredNames,
} from './named-patients.ts';
export { holdersAfter, holderToken, readStoredHolders, toStoredHolders } from './role-holders.ts';
export type { ValueSetRow } from './value-sets.ts';
