import { availableParallelism } from 'node:os';
import { CONTRACTS, genesisState } from '../contracts/index.ts';
import { publicKeyOf } from '../identity/index.ts';
import { type ContractTable, chainIdOf, type Genesis } from '../ledger/index.ts';
import { AppError, equalBytes } from '../shared/index.ts';
import type { ChainRules } from './chain-rules.ts';
import type { Engine } from './engine.ts';
import { lockFolder } from './folder-lock.ts';
import { headSigner } from './head-signer.ts';
import { discardIndex, openIndexedValues } from './index-snapshot.ts';
import { Intake } from './intake.ts';
import { LedgerReader } from './ledger-reader.ts';
import { type OpenedLedger, openLedger } from './open-ledger.ts';
import { readingSide } from './reading-side.ts';
import { Sequencer } from './sequencer.ts';
import { ensureFolder, folderStorage } from './storage.ts';
import { VerifyPool } from './verify-pool.ts';

export type EmbeddedEngineOptions = {
  readonly folder: string;
  readonly genesis: Genesis;
  /** Signs the checkpoint of every block; belongs to the genesis' operator key. */
  readonly operatorSeed: Uint8Array;
  readonly now: () => number;
  /** Threads that verify signatures; one fewer than there are cores, 1 or 2, unless said otherwise. */
  readonly verifyWorkers?: number;
  /** Transactions that may wait; one more is refused with `busy`. */
  readonly queueLimit?: number;
  /** The rules to run by; those of this version unless said otherwise. */
  readonly contracts?: ContractTable;
};

/** One core stays for the thread that orders and executes; more than two workers would wait for it. */
const DEFAULT_WORKERS = Math.min(2, Math.max(1, availableParallelism() - 1));
const DEFAULT_QUEUE_LIMIT = 4096;

/** Opens, and on first use creates, the ledger of one operator in a folder. Everything is verified before this resolves. */
export async function openEmbeddedEngine(options: EmbeddedEngineOptions): Promise<Engine> {
  const { folder, genesis, operatorSeed } = options;
  if (!equalBytes(publicKeyOf(operatorSeed), genesis.operatorKey)) {
    throw new AppError(
      'wrong-genesis',
      'The operator key is not the one the genesis names. Use the key this ledger was created with.',
    );
  }
  await ensureFolder(folder);
  const lock = lockFolder(folder);
  try {
    const rules = embeddedRules(genesis, operatorSeed, options.contracts);
    const opened = await openLedger(folderStorage(folder), rules, (fresh) => {
      if (fresh) discardIndex(folder);
      return openIndexedValues(folder);
    });
    return runEngine(opened, rules, options, () => lock.release());
  } catch (cause) {
    lock.release();
    throw cause;
  }
}

/** The rules of an embedded chain, with the contracts of this version unless said otherwise. */
export function embeddedRules(
  genesis: Genesis,
  operatorSeed: Uint8Array,
  contracts: ContractTable = CONTRACTS,
): ChainRules {
  const chainId = chainIdOf(genesis);
  return {
    genesis,
    chainId,
    contracts,
    genesisState,
    signHead: headSigner(chainId, operatorSeed),
  };
}

/** The engine over an opened ledger; `released` runs last when it is closed. */
export function runEngine(
  opened: OpenedLedger,
  rules: ChainRules,
  options: Pick<EmbeddedEngineOptions, 'now' | 'verifyWorkers' | 'queueLimit'>,
  released: () => void = () => undefined,
): Engine {
  const { log, state } = opened;
  const reader = new LedgerReader(state, log);
  const sequencer = new Sequencer({ log, state, rules, now: options.now });
  const pool = new VerifyPool(options.verifyWorkers ?? DEFAULT_WORKERS);
  const intake = new Intake({
    sequencer,
    pool,
    reader,
    state,
    rules,
    queueLimit: options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
  });
  const shutDown = async (): Promise<void> => {
    await intake.close();
    await pool.close();
    await state.values.close();
    await log.close();
    released();
  };
  let closing: Promise<void> | undefined;
  return {
    ...readingSide(reader, { log, state }, rules),
    submit: (bytes) => intake.submit(bytes),
    onCommit: (listener) => sequencer.onCommit(listener),
    close: () => {
      closing ??= shutDown();
      return closing;
    },
  };
}
