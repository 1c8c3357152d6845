import { join } from 'node:path';
import { CONTRACTS, genesisState } from '../../contracts/index.ts';
import { type ContractTable, chainIdOf, type Genesis } from '../../ledger/index.ts';
import type { AppError } from '../../shared/index.ts';
import type { ChainRules } from '../chain-rules.ts';
import type { Engine } from '../engine.ts';
import { lockFolder } from '../folder-lock.ts';
import { discardIndex, openIndexedValues } from '../index-snapshot.ts';
import { LedgerReader } from '../ledger-reader.ts';
import { type OpenedLedger, openLedger } from '../open-ledger.ts';
import { readingSide } from '../reading-side.ts';
import { ensureFolder, folderStorage } from '../storage.ts';
import { VerifyPool } from '../verify-pool.ts';
import { type AbciAddress, serveAbci } from './abci/abci-server.ts';
import type { Application } from './abci/methods.ts';
import { createApplication } from './application.ts';
import { Broadcaster } from './broadcast.ts';
import { type CommittedBlock, ConsensusChain } from './consensus-chain.ts';
import { type ConsensusHeadSigner, consensusHeadSigner } from './consensus-head.ts';
import { ConsensusIntake } from './consensus-intake.ts';
import { MempoolAdmission, type MempoolVerdict } from './mempool-admission.ts';
import { checkRetainedBlocks } from './retain-height.ts';
import { SnapshotServer } from './snapshot/snapshot-server.ts';
import { isUpgradeNeeded, tellingUpgrade } from './upgrade-needed.ts';
import { VerifiedSignatures } from './verified-signatures.ts';
import { WaitingSubmissions } from './waiting-submissions.ts';

export type CometBftEngineOptions = {
  readonly folder: string;
  readonly genesis: Genesis;
  /** Signs this node's notes over heads; every node has its own. */
  readonly nodeSeed: Uint8Array;
  /** The RPC of this node's CometBFT, for example http://127.0.0.1:26657. */
  readonly rpcUrl: string;
  /** Where CometBFT finds the application; a unix socket in the folder unless said otherwise. */
  readonly abci?: AbciAddress;
  readonly log: (line: string) => void;
  readonly verifyWorkers?: number;
  /** Transactions that may wait; one more is refused with `busy`. */
  readonly queueLimit?: number;
  /** The account in whose name the node itself writes: room is kept for it. */
  readonly ownAccount?: Uint8Array;
  /** How many of its blocks CometBFT keeps; all unless said otherwise. The ledger keeps its own for ever. */
  readonly retainBlocks?: number;
  /** How long a submission waits for its block. */
  readonly submitTimeoutMs?: number;
  /** The rules to run by; those of this version unless said otherwise. */
  readonly contracts?: ContractTable;
  /** Told when the consortium goes on by rules that this software does not know: nothing more is recorded by it. */
  readonly onUpgradeNeeded?: (error: AppError) => void;
};

export type CometBftEngine = Engine & {
  /** Where the application listens. */
  readonly abci: AbciAddress;
  /** The last block of the consensus engine that the ledger has taken over. */
  consensusHeight(): number;
};

const DEFAULT_WORKERS = 1;
const DEFAULT_QUEUE_LIMIT = 4096;
const DEFAULT_SUBMIT_TIMEOUT_MS = 30_000;

/** Opens, and on first use creates, an organisation's copy of a consortium's ledger, and serves it to its CometBFT. */
export async function openCometBftEngine(options: CometBftEngineOptions): Promise<CometBftEngine> {
  const { folder, genesis, nodeSeed } = options;
  checkRetainedBlocks(options.retainBlocks);
  await ensureFolder(folder);
  const lock = lockFolder(folder);
  try {
    const chainId = chainIdOf(genesis);
    const signHead = consensusHeadSigner(chainId, nodeSeed);
    const rules = consortiumRules(options, signHead);
    const opened = await openLedger(folderStorage(folder), rules, (fresh) => {
      if (fresh) discardIndex(folder);
      return openIndexedValues(folder);
    });
    return await runEngine(opened, rules, signHead, options, () => lock.release());
  } catch (cause) {
    lock.release();
    throw cause;
  }
}

function consortiumRules(
  { genesis, contracts = CONTRACTS }: CometBftEngineOptions,
  signHead: ConsensusHeadSigner,
): ChainRules {
  return {
    genesis,
    chainId: chainIdOf(genesis),
    contracts,
    genesisState,
    signHead: (height, seal) => signHead(height, seal, 0),
  };
}

async function runEngine(
  { log, state }: OpenedLedger,
  rules: ChainRules,
  signHead: ConsensusHeadSigner,
  options: CometBftEngineOptions,
  released: () => void,
): Promise<CometBftEngine> {
  const { onUpgradeNeeded = () => undefined } = options;
  const pool = new VerifyPool(options.verifyWorkers ?? DEFAULT_WORKERS);
  const signatures = new VerifiedSignatures(pool);
  const chain = new ConsensusChain({ log, state, rules, signatures, signHead });
  const reader = new LedgerReader(state, log);
  const waiting = new WaitingSubmissions(options.submitTimeoutMs ?? DEFAULT_SUBMIT_TIMEOUT_MS);
  const intake = new ConsensusIntake({
    chain,
    reader,
    waiting,
    broadcaster: new Broadcaster(options.rpcUrl, {
      bytesOf: (idKey) => waiting.get(idKey)?.bytes,
      onFailure: (idKey, error) => waiting.fail(idKey, error),
    }),
    queueLimit: options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
    ownAccount: options.ownAccount,
  });
  const parts = {
    chain,
    reader,
    retainBlocks: options.retainBlocks,
    snapshots: new SnapshotServer({
      chain,
      reader,
      onBlock: (block: CommittedBlock) => waiting.settleBlock(block),
      log: options.log,
    }),
    onCommit: (block: CommittedBlock | undefined) => {
      if (block !== undefined) waiting.settleBlock(block);
      // The block after the last one that this software may run: it carries the signatures on what that one led to.
      else if (isUpgradeNeeded(chain.failure)) onUpgradeNeeded(chain.failure);
    },
    onRefused: (bytes: Uint8Array, verdict: MempoolVerdict) => intake.refused(bytes, verdict),
    log: options.log,
  };
  const connect = (connection: AbortSignal): Application => {
    const mempool = new MempoolAdmission(chain);
    return tellingUpgrade(createApplication({ ...parts, mempool, connection }), onUpgradeNeeded);
  };
  const server = await serveAbci(connect, abciAddress(options), options.log);
  const shutDown = async (): Promise<void> => {
    await intake.close();
    await server.close();
    await chain.settled();
    await pool.close();
    await state.values.close();
    await log.close();
    released();
  };
  let closing: Promise<void> | undefined;
  return {
    ...readingSide(reader, { log, state }, rules),
    submit: (bytes) => intake.submit(bytes),
    onCommit: (listener) => chain.onCommit(listener),
    consensusHeight: () => chain.consensusHeight,
    abci: server.address,
    close: () => {
      closing ??= shutDown();
      return closing;
    },
  };
}

function abciAddress({ abci, folder }: CometBftEngineOptions): AbciAddress {
  return abci ?? { path: join(folder, 'abci.sock') };
}
