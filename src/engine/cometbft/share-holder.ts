import { type PartyKind, readParty } from '../../contracts/index.ts';
import type { StateReader } from '../../ledger/index.ts';
import { mapKey } from '../state-values.ts';

/** What is scarce is shared out among organisations, and within each among its groups, so that no flood keeps out anybody else. */
export type ShareHolder = {
  /** A patient counts to its custodian, staff and devices to the organisation that they act for. */
  readonly organisation: string;
  /** Names the organisation too. */
  readonly group: string;
};

/** Flooding devices must not keep out patients' revocations, nor flooding patients the organisation's own anchors. */
const GROUP_OF = {
  organisation: 'organisation',
  practitioner: 'staff',
  device: 'staff',
  patient: 'patients',
} as const satisfies Record<PartyKind, string>;
export const GROUPS_PER_ORGANISATION = new Set(Object.values(GROUP_OF)).size;

const MAX_KNOWN = 50_000;
/** A party keeps its kind and its organisation for ever, so the committed state of a chain is asked once. */
const known = new WeakMap<StateReader, Map<string, ShareHolder>>();

/** To whose share a signer's transactions count; one that is not registered counts for itself. */
export function shareHolderOf(committed: StateReader, signer: Uint8Array): ShareHolder {
  const name = mapKey(signer);
  const holders = knownOf(committed);
  const holder = holders.get(name);
  if (holder !== undefined) return holder;
  const party = readParty(committed, signer);
  if (party === undefined) return { organisation: name, group: name };
  const organisation = mapKey(party.organisation);
  const read = { organisation, group: `${organisation} ${GROUP_OF[party.kind]}` };
  if (holders.size >= MAX_KNOWN) holders.clear();
  holders.set(name, read);
  return read;
}

function knownOf(committed: StateReader): Map<string, ShareHolder> {
  const holders = known.get(committed) ?? new Map<string, ShareHolder>();
  known.set(committed, holders);
  return holders;
}
