import {
  type AccountKeyProof,
  accessEntryReceipt,
  accountKeyReceipt,
  type ConsensusProof,
  consentReceipt,
  headReceipt,
  MAX_ROTATIONS,
  type ReceiptHead,
  type RecordedLeaf,
  type RecordedTransaction,
  type RecordOpening,
  recordVersionReceipt,
  type StateSubject,
  stateKeyOf,
  stateReceipt,
  transactionReceipt,
  VALIDATORS_ROW,
} from '../../client/index.ts';
import { actionName } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { accountIdOf, verifySignature } from '../../identity/index.ts';
import {
  decodeTransaction,
  encodeGenesis,
  type Genesis,
  readAccount,
  signingBytes,
  type Transaction,
} from '../../ledger/index.ts';
import { AppError, equalBytes } from '../../shared/index.ts';
import type { AccessEntry, AccessLog, SealedRecord } from '../../vault/index.ts';
import type { Cosigner } from '../cosigning/cosigner.ts';
import { changesTo, createKeyHistory, type KeyHistory } from './key-history.ts';
import { anchorIdIn, createRecordPlaces } from './record-places.ts';

/** Portable proofs of what this node recorded. */
export interface ReceiptDesk {
  /** Under the newest head, or under the best cosigned one where `cosigned`. */
  ofTransaction(id: Uint8Array, cosigned?: boolean): Promise<string>;
  /** Of a record version; with its content where `opening` gives it. */
  ofRecordVersion(record: SealedRecord, opening: RecordOpening | null): Promise<string>;
  /** Of an entry of the access log, once it is anchored. */
  ofAccessEntry(entry: AccessEntry): Promise<string | undefined>;
  /** Of what the state says at a place, or that it says nothing. */
  ofState(subject: StateSubject): Promise<string>;
  /** Of the key that an account has now; or of one that it had, and the change that replaced it. */
  ofAccountKey(accountId: Uint8Array, heldKey?: Uint8Array): Promise<string>;
  /** Of the newest head itself. */
  ofHead(): Promise<string>;
}

/** A head to prove under; the proofs are of the history of its size, so it may be an older one. */
type ProofHead = ReceiptHead & { readonly logSize: number };

interface Deps {
  engine: Engine;
  accessLog: AccessLog;
  genesis: Genesis;
  /** Whose records and access log it proves. */
  custodian: Uint8Array;
  cosigner: Pick<Cosigner, 'withCosignatures' | 'covering'>;
  /** What the validators signed about a head; undefined where one operator signs. */
  prove?: ((note: string) => Promise<Omit<ConsensusProof, 'validators'>>) | undefined;
}

/** Builds receipts from the engine's proofs. */
export function createReceiptDesk(deps: Deps): ReceiptDesk {
  const { engine, accessLog, cosigner, custodian } = deps;
  const genesis = encodeGenesis(deps.genesis);
  const keys = createKeyHistory(engine, deps.genesis);
  const places = createRecordPlaces(engine, custodian);
  /** Of the newest head; what it takes from the state is taken before anything is waited for, so it is of this head. */
  const newestHead = (): Promise<ProofHead> => {
    const { checkpoint, logSize } = engine.head();
    const row = deps.prove === undefined ? null : validatorsRow(engine);
    return proofHead(deps, genesis, cosigner.withCosignatures(checkpoint), logSize, row);
  };
  const prove = (id: Uint8Array, head: ProofHead): Promise<RecordedTransaction> =>
    recordedTransaction(engine, keys, id, head.logSize);
  return {
    async ofTransaction(id, cosigned = false) {
      const head = await (cosigned ? cosignedHead(deps, id, genesis) : newestHead());
      const source = await prove(id, head);
      return isConsentChange(source) ? consentReceipt(head, source) : transactionReceipt(head, source);
    },
    async ofRecordVersion(record, opening) {
      const found = await places.of(record);
      if (found === undefined)
        throw new AppError('not-found', 'The version is not on the ledger yet. Try again in a moment.');
      const head = await newestHead();
      return recordVersionReceipt(head, await prove(found.id, head), found.entryIndex, opening);
    },
    async ofAccessEntry(entry) {
      const anchor = await accessLog.anchorOf(entry.leafIndex);
      if (anchor === undefined) return undefined;
      const block = await engine.block(anchor.height);
      const id = block === undefined ? undefined : anchorIdIn(block, anchor, custodian);
      if (id === undefined) return undefined;
      const head = await newestHead();
      const path = accessLog.inclusionProof(entry.leafIndex, anchor.size);
      const place = { bytes: entry.frame, index: entry.leafIndex, path };
      return accessEntryReceipt(head, await prove(id, head), place);
    },
    async ofState(subject) {
      // Both are of one head, as nothing comes between them.
      const { value, proof } = engine.stateProof(stateKeyOf(subject));
      return stateReceipt(await newestHead(), subject, value, proof);
    },
    async ofAccountKey(accountId, heldKey) {
      const head = await newestHead();
      const key = await keyProof(
        engine,
        keys,
        accountId,
        { beforeIndex: head.logSize, heldKey },
        head.logSize,
      );
      if (key === undefined)
        throw new AppError(
          'not-found',
          `There is no such account on this ledger, it never had this key, or it has had more than ${MAX_ROTATIONS} keys before it.`,
        );
      return accountKeyReceipt(head, accountId, key);
    },
    ofHead: async () => headReceipt(await newestHead()),
  };
}

/** By the state at the head, whose the validators are. */
function validatorsRow(engine: Engine): ConsensusProof['validators'] {
  const { value, proof } = engine.stateProof(VALIDATORS_ROW);
  return value === undefined ? null : { value, proof };
}

async function proofHead(
  { prove }: Pick<Deps, 'prove'>,
  genesis: Uint8Array,
  checkpoint: string,
  logSize: number,
  validators: ConsensusProof['validators'],
): Promise<ProofHead> {
  const decided = await prove?.(checkpoint);
  const consensus = decided && { ...decided, validators };
  return { genesis, checkpoint, logSize, ...(consensus === undefined ? {} : { consensus }) };
}

/** The best cosigned head whose history has the transaction. */
async function cosignedHead(deps: Deps, id: Uint8Array, genesis: Uint8Array): Promise<ProofHead> {
  const { engine, cosigner } = deps;
  const recorded = await engine.transaction(id);
  if (recorded === undefined) throw noTransaction();
  const head = cosigner.covering(recorded.leafIndex + 1);
  if (head !== undefined) return proofHead(deps, genesis, head.note, head.logSize, null);
  throw new AppError(
    'unavailable',
    'No witness has cosigned a head with this transaction yet. Try again in a moment; GET / says whether this node has witnesses.',
  );
}

/** The transaction with its proofs in the history of the given size. */
async function recordedTransaction(
  engine: Engine,
  keys: KeyHistory,
  id: Uint8Array,
  logSize: number,
): Promise<RecordedTransaction> {
  const recorded = await engine.transaction(id);
  const place = recorded === undefined ? undefined : await leafProof(engine, recorded.leafIndex, logSize);
  if (recorded === undefined || place === undefined) throw noTransaction();
  const signer = await signerOf(engine, keys, decoded(recorded.transaction), place.index, logSize);
  return { recorded: place, signer, transaction: recorded.transaction };
}

function noTransaction(): AppError {
  return new AppError('not-found', 'There is no such transaction on this ledger.');
}

async function leafProof(engine: Engine, index: number, logSize: number): Promise<RecordedLeaf | undefined> {
  const leaf = await engine.leaf(index);
  const path = engine.inclusionProof(index, logSize);
  return leaf === undefined || path === undefined ? undefined : { leaf, index, path };
}

/** The key that signed. Most accounts never change theirs: those need no look at the history. */
async function signerOf(
  engine: Engine,
  keys: KeyHistory,
  { header, signature }: Transaction,
  leafIndex: number,
  logSize: number,
): Promise<AccountKeyProof | null> {
  const publicKey = readAccount(engine.state, header.signer)?.publicKey;
  const isBy = (key: Uint8Array): boolean => verifySignature(key, signingBytes(header), signature);
  if (publicKey !== undefined && equalBytes(accountIdOf(publicKey), header.signer) && isBy(publicKey))
    return { publicKey, rotations: [] };
  return (await keyProof(engine, keys, header.signer, { beforeIndex: leafIndex }, logSize)) ?? null;
}

/** The account's key at a place of the history, or one that it had before, with the recorded changes that led to it. */
async function keyProof(
  engine: Engine,
  keys: KeyHistory,
  accountId: Uint8Array,
  { beforeIndex, heldKey }: { beforeIndex: number; heldKey?: Uint8Array | undefined },
  logSize: number,
): Promise<AccountKeyProof | undefined> {
  const publicKey = await keys.firstKeyOf(accountId);
  const changes = (await keys.rotationsOf(accountId)).filter(({ leafIndex }) => leafIndex < beforeIndex);
  const shown = publicKey && changesTo(publicKey, changes, heldKey);
  if (publicKey === undefined || shown === undefined) return undefined;
  const rotations: AccountKeyProof['rotations'][number][] = [];
  for (const { leafIndex, payload } of shown) {
    const recorded = await leafProof(engine, leafIndex, logSize);
    if (recorded === undefined) return undefined;
    rotations.push({ recorded, payload });
  }
  return { publicKey, rotations };
}

function isConsentChange({ transaction }: RecordedTransaction): boolean {
  const { header } = decoded(transaction);
  const name = actionName(header.contract, header.action);
  return name === 'grant-consent' || name === 'replace-consent' || name === 'revoke-consent';
}

function decoded(bytes: Uint8Array): Transaction {
  const transaction = decodeTransaction(bytes);
  if (transaction.ok) return transaction.value;
  throw new AppError('damaged', 'A recorded transaction cannot be read. Run `careledger audit`.');
}
