import {
  CONTRACT,
  decodeSinglePart,
  readParty,
  readRegistration,
  readRotateKey,
} from '../../contracts/index.ts';
import type { Engine, RecordedBlock } from '../../engine/index.ts';
import { accountIdOf } from '../../identity/index.ts';
import { decodeTransaction, type Genesis, type Transaction } from '../../ledger/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';

/** Where the header has the numbers of contract and action: after the version and the chain id. */
const CONTRACT_OFFSET = 33;
const ROTATE_KEY = 5;

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
  let nextHeight = 1;
  let walk: Promise<void> = Promise.resolve();

  const readNew = async (): Promise<void> => {
    for await (const recorded of engine.blocks(nextHeight)) {
      for (const { account, rotation } of rotationsIn(recorded))
        rotations.set(account, [...(rotations.get(account) ?? []), rotation]);
      nextHeight = recorded.block.height + 1;
    }
  };
  return {
    firstKeyOf: (accountId) => firstKeyOf(engine, genesis, accountId),
    async rotationsOf(accountId) {
      const turn = walk.then(readNew);
      walk = turn.catch(() => undefined);
      await turn;
      return rotations.get(toHex(accountId)) ?? [];
    },
  };
}

function* rotationsIn({
  block,
  results,
  firstLeaf,
}: RecordedBlock): Generator<{ account: string; rotation: RecordedRotation }> {
  for (const [index, bytes] of block.transactions.entries()) {
    if (bytes[CONTRACT_OFFSET] !== CONTRACT.registry || bytes[CONTRACT_OFFSET + 1] !== ROTATE_KEY) continue;
    const transaction = decodeTransaction(bytes);
    if (!transaction.ok || results[index]?.code !== 0) continue;
    const { header, parts } = transaction.value;
    const payload = decodeSinglePart(parts, readRotateKey);
    if (!payload.ok) continue;
    const rotation = {
      leafIndex: firstLeaf + index,
      payload: parts[0] as Uint8Array,
      newKey: payload.value.newKey,
    };
    yield { account: toHex(header.signer), rotation };
  }
}

/** From the transaction that registered the account, or from the genesis. */
async function firstKeyOf(
  engine: Engine,
  genesis: Genesis,
  accountId: Uint8Array,
): Promise<Uint8Array | undefined> {
  const party = readParty(engine.state, accountId);
  if (party === undefined) return undefined;
  const isNamedAfter = (key: Uint8Array | undefined): boolean =>
    key !== undefined && equalBytes(accountIdOf(key), accountId);
  if (party.registeredHeight === 0) return genesis.organisationKeys.find(isNamedAfter);
  const recorded = await engine.block(party.registeredHeight);
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
