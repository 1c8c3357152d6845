import { decodeSinglePart, readGrantConsent } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import type { Block, TransactionResult } from '../../ledger/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';
import type { GrantedConsent, GrantedConsents } from '../../vault/index.ts';
import { effectiveTransactions } from '../ledger/effective-transactions.ts';

const MAX_NOTED_AT_ONCE = 1000;

/**
 * Which consents the ledger has for a patient of this custodian, whether or not anybody brought their terms here. The ledger's
 * state cannot be asked for that by patient, so that the vault keeps it, with the height up to which it is complete.
 */
export interface GrantWatch {
  /** Ids of every consent ever granted under a pseudonym, in hex. */
  of(account: string): Promise<readonly string[]>;
  /** Call while a block is committed: from here on `of` tells of it. */
  committed(block: Block, results: readonly TransactionResult[]): void;
  /** Reads the blocks that the vault does not know yet. Call once, after `committed` gets every new one. */
  bringUp(): Promise<void>;
  /** Resolves when what was committed so far is in the vault: the next start begins after it. */
  settle(): Promise<void>;
}

interface Deps {
  engine: Pick<Engine, 'blocks' | 'head'>;
  noted: Pick<GrantedConsents, 'add' | 'of' | 'height' | 'isWhole' | 'beginAnew'>;
  custodian: Uint8Array;
  onFailure: () => void;
  /** Rows were missing in the vault; all blocks are read again. */
  onLoss: () => void;
  /** A block that is being committed has a consent of this pseudonym. */
  onGrant: (account: string) => void;
}

export function createGrantWatch(deps: Deps): GrantWatch {
  const { engine, noted, custodian } = deps;
  let unwritten: GrantedConsent[] = [];
  let height = 0;
  let last: Promise<void> = Promise.resolve();

  const see = (block: Block, results: readonly TransactionResult[]): GrantedConsent[] => {
    const found = grantsIn(block, results, custodian);
    unwritten.push(...found);
    return found;
  };
  // What could not be written stays, and is written with what comes next: the height never passes over a grant.
  const write = async (upTo: number): Promise<void> => {
    const writing = [...unwritten];
    await noted.add(writing, upTo);
    unwritten = unwritten.slice(writing.length);
  };
  const readMissed = async (): Promise<void> => {
    if (!(await noted.isWhole())) {
      deps.onLoss();
      await noted.beginAnew();
    }
    const head = engine.head().height;
    // A vault that was saved after the ledger knows blocks that come otherwise now.
    const stored = await noted.height();
    for await (const { block, results } of engine.blocks(Math.min(stored, head) + 1)) {
      see(block, results);
      if (unwritten.length >= MAX_NOTED_AT_ONCE) await write(block.height);
    }
    if (head !== stored) await write(head);
  };
  return {
    async of(account) {
      const waiting = unwritten.filter((grant) => grant.account === account);
      const written = await noted.of(account);
      return [...new Set([...written, ...waiting.map(({ consentId }) => consentId)])];
    },
    committed(block, results) {
      height = block.height;
      const found = see(block, results);
      if (found.length === 0) return;
      last = last.then(() => write(height)).catch(deps.onFailure);
      for (const { account } of found) deps.onGrant(account);
    },
    bringUp() {
      const turn = last.then(readMissed);
      last = turn.catch(() => undefined);
      return turn;
    },
    settle() {
      if (height > 0) last = last.then(() => write(height)).catch(deps.onFailure);
      return last;
    },
  };
}

function grantsIn(
  block: Block,
  results: readonly TransactionResult[],
  custodian: Uint8Array,
): GrantedConsent[] {
  return [...effectiveTransactions({ block, results }, 'grant-consent')].flatMap(({ transaction }) => {
    const grant = decodeSinglePart(transaction.parts, readGrantConsent);
    if (!grant.ok || !equalBytes(grant.value.custodian, custodian)) return [];
    return [{ account: toHex(grant.value.patient), consentId: toHex(grant.value.consentId) }];
  });
}
