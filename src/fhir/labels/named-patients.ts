import { isHolderMark } from './role-holders.ts';

/**
 * Patients that a record names beside the one it is kept under. The vault seals them with the record's labels, so that the gate
 * knows whom to ask before anything is opened.
 */
export interface NamedPatients {
  /** Ids of Patients, sorted. */
  readonly others: readonly string[];
  /** Whether the record is about its subject alone, and the others only take part: a performer, an informant, a sibling. */
  readonly isSubjectsOwn: boolean;
}

export const NOBODY_ELSE: NamedPatients = { others: [], isSubjectsOwn: true };

const TAKES_PART = 'names:';
const IS_ABOUT = 'about:';

/** Marks to store beside the labels of a record. */
export function toStoredNames({ others, isSubjectsOwn }: NamedPatients): string[] {
  return others.map((id) => (isSubjectsOwn ? TAKES_PART : IS_ABOUT) + id);
}

/** Whether a stored label is a mark rather than a label. */
export function isStoredMark(text: string): boolean {
  return isStoredName(text) || text === OPEN_PLACEMENT || isHolderMark(text);
}

function isStoredName(text: string): boolean {
  return text.startsWith(TAKES_PART) || text.startsWith(IS_ABOUT);
}

/** The mark of a version of which nobody could tell whose it is when it was written: it is for who wrote it alone. */
export const OPEN_PLACEMENT = 'placement:open';

export function isPlacementOpen(stored: readonly string[]): boolean {
  return stored.includes(OPEN_PLACEMENT);
}

/** Reads the marks among stored labels. */
export function readStoredNames(stored: readonly string[]): NamedPatients {
  if (!stored.some(isStoredName)) return NOBODY_ELSE;
  const marks = stored.filter(isStoredName);
  return {
    others: marks.map((mark) => mark.slice(mark.indexOf(':') + 1)),
    isSubjectsOwn: marks.every((mark) => mark.startsWith(TAKES_PART)),
  };
}
