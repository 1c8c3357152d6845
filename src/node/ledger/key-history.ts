import { MAX_ROTATIONS } from '../../client/index.ts';
import {
  CONTRACT,
  decodeSinglePart,
  readOpenProposal,
  readParty,
  readRegistration,
  readRotateKey,
} from '../../contracts/index.ts';
import type { Engine, RecordedBlock } from '../../engine/index.ts';
import { accountIdOf } from '../../identity/index.ts';
import { decodeTransaction, type Genesis, type Transaction } from '../../ledger/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';
import { effectiveTransactions } from './effective-transactions.ts';

/** One change of an account's key, as it is recorded. */
export interface RecordedRotation {
  readonly leafIndex: number;
  readonly payload: Uint8Array;
  readonly newKey: Uint8Array;
}

/** Which keys an account had. The state holds only the newest. */
export interface KeyHistory {
  /** The key that the account is named after; undefined for an account that is not on the ledger. */
  firstKeyOf(accountId: Uint8Array): Promise<Uint8Array | undefined>;
  /** Its changes, oldest first. */
  rotationsOf(accountId: Uint8Array): Promise<readonly RecordedRotation[]>;
}

/**
 * Reads key changes from the history when somebody first asks, and from then on only what is new. Changes of key are rare:
 * they are kept in memory, and a chain without any costs one walk over its blocks.
 */
export function createKeyHistory(engine: Engine, genesis: Genesis): KeyHistory {
  const rotations = new Map<string, RecordedRotation[]>();
  /** Of organisations that were to be admitted by vote: their key is in the proposal, which was opened in an earlier block. */
  const proposed = new Map<string, Uint8Array>();
  let nextHeight = 1;
  let walk: Promise<void> = Promise.resolve();

  const readNew = async (): Promise<void> => {
    for await (const recorded of engine.blocks(nextHeight)) {
      for (const key of keysToAdmit(recorded)) proposed.set(toHex(accountIdOf(key)), key);
      for (const { account, rotation } of rotationsIn(recorded))
        rotations.set(account, [...(rotations.get(account) ?? []), rotation]);
      nextHeight = recorded.block.height + 1;
    }
  };
  const upToDate = (): Promise<void> => {
    const turn = walk.then(readNew);
    walk = turn.catch(() => undefined);
    return turn;
  };
  return {
    async firstKeyOf(accountId) {
      const party = readParty(engine.state, accountId);
      if (party === undefined) return undefined;
      const registered = await registeredKeyOf(engine, genesis, accountId, party.registeredHeight);
      if (registered !== undefined) return registered;
      await upToDate();
      return proposed.get(toHex(accountId));
    },
    async rotationsOf(accountId) {
      await upToDate();
      return rotations.get(toHex(accountId)) ?? [];
    },
  };
}

/** Those that lead to the newest key; or to the held one, and the one that replaced it. Undefined where they are too many. */
export function changesTo(
  firstKey: Uint8Array,
  changes: readonly RecordedRotation[],
  heldKey: Uint8Array | undefined,
): readonly RecordedRotation[] | undefined {
  const held = heldKey && changes.findLastIndex(({ newKey }) => equalBytes(newKey, heldKey));
  if (heldKey !== undefined && held === -1 && !equalBytes(heldKey, firstKey)) return undefined;
  const count = held === undefined ? changes.length : held + 1;
  const path = withoutDetours(firstKey, changes.slice(0, count));
  return path.length > MAX_ROTATIONS ? undefined : [...path, ...changes.slice(count, count + 1)];
}

/** The changes that lead from the first key to the last one, without those that only led back to an earlier key. */
function withoutDetours(
  firstKey: Uint8Array,
  changes: readonly RecordedRotation[],
): readonly RecordedRotation[] {
  const path: RecordedRotation[] = [];
  const lengths = new Map([[toHex(firstKey), 0]]);
  for (const change of changes) {
    const length = lengths.get(toHex(change.newKey));
    if (length === undefined) lengths.set(toHex(change.newKey), path.push(change));
    else for (const { newKey } of path.splice(length)) lengths.delete(toHex(newKey));
  }
  return path;
}

function* keysToAdmit(recorded: RecordedBlock): Generator<Uint8Array> {
  for (const { transaction } of effectiveTransactions(recorded, 'open-proposal')) {
    const proposal = decodeSinglePart(transaction.parts, readOpenProposal);
    if (!proposal.ok || proposal.value.change.kind !== 'admit-organisation') continue;
    yield proposal.value.change.registration.publicKey;
  }
}

function* rotationsIn(recorded: RecordedBlock): Generator<{ account: string; rotation: RecordedRotation }> {
  for (const { place, transaction } of effectiveTransactions(recorded, 'rotate-key')) {
    const { header, parts } = transaction;
    const payload = decodeSinglePart(parts, readRotateKey);
    if (!payload.ok) continue;
    const rotation = {
      leafIndex: recorded.firstLeaf + place,
      payload: parts[0] as Uint8Array,
      newKey: payload.value.newKey,
    };
    yield { account: toHex(header.signer), rotation };
  }
}

/** From the transaction that registered the account, or from the genesis. */
async function registeredKeyOf(
  engine: Engine,
  genesis: Genesis,
  accountId: Uint8Array,
  registeredHeight: number,
): Promise<Uint8Array | undefined> {
  const isNamedAfter = (key: Uint8Array | undefined): boolean =>
    key !== undefined && equalBytes(accountIdOf(key), accountId);
  if (registeredHeight === 0) return genesis.organisationKeys.find(isNamedAfter);
  const recorded = await engine.block(registeredHeight);
  const keys = (recorded?.block.transactions ?? []).map((bytes) => registeredKey(decodeTransaction(bytes)));
  return keys.find(isNamedAfter);
}

function registeredKey(
  transaction: { ok: true; value: Transaction } | { ok: false },
): Uint8Array | undefined {
  if (!transaction.ok || transaction.value.header.contract !== CONTRACT.registry) return undefined;
  const registration = decodeSinglePart(transaction.value.parts, readRegistration);
  return registration.ok ? registration.value.publicKey : undefined;
}
