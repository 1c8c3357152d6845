import { AppError } from '../shared/index.ts';

/** Where in the ledger folder something is not as it was written. */
export type DamagePlace = {
  readonly file: string;
  readonly offset: number;
  /** The height of the frame that is damaged, or that should stand there. */
  readonly height?: number;
};

/** Acknowledged data cannot be read back as written. Nothing has been changed on disk. */
export class LedgerDamageError extends AppError {
  readonly place: DamagePlace;
  readonly what: string;

  constructor(what: string, place: DamagePlace) {
    super(
      'damaged',
      `${describePlace(place)}: ${what}. Nothing was changed. Run "careledger audit", then restore the last backup to a new folder.`,
    );
    this.place = place;
    this.what = what;
  }
}

/** The place in words: file, offset, and the height when one is known. */
export function describePlace(place: DamagePlace): string {
  const height = place.height === undefined ? '' : ` (height ${place.height})`;
  return `${place.file} at byte ${place.offset}${height}`;
}
