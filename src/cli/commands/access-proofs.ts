import { verifyReceipt } from '../../client/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';

/** An entry of the access log as a node gives it: its place there, and the receipt that shows it. */
export interface ListedEntry {
  leafIndex: number;
  leafHash: string;
  receipt: string | null;
}

export type EntryProof = 'in the log' | 'not anchored yet' | 'REFUSED';

/** Whose log it has to be, on which chain. */
export interface LogOwner {
  chainId: Uint8Array;
  custodian: Uint8Array;
}

/**
 * Holds each entry against its own receipt: it shows this entry, in this place of this custodian's log, and no place counts twice.
 * What the node says of an entry stays its word, because the log has it encrypted.
 */
export function proofsOf(entries: readonly ListedEntry[], owner: LogOwner): EntryProof[] {
  const seen = new Set<number>();
  return entries.map((entry) => {
    if (seen.has(entry.leafIndex)) return 'REFUSED';
    seen.add(entry.leafIndex);
    return entry.receipt === null ? 'not anchored yet' : proofOf(entry, entry.receipt, owner);
  });
}

function proofOf(entry: ListedEntry, receipt: string, { chainId, custodian }: LogOwner): EntryProof {
  const verdict = verifyReceipt(receipt, { chainId });
  const place = verdict.ok ? verdict.accessEntry : undefined;
  const isShown =
    place !== undefined &&
    equalBytes(place.custodian, custodian) &&
    place.index === entry.leafIndex &&
    toHex(place.leafHash) === entry.leafHash;
  return isShown ? 'in the log' : 'REFUSED';
}
