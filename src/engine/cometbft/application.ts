import type {
  Misbehavior,
  ValidatorUpdate as ProtobufUpdate,
  RequestCheckTx,
  RequestFinalizeBlock,
  RequestInitChain,
  ResponseCheckTx,
  ResponseInfo,
} from 'cosmjs-types/tendermint/abci/types';
import {
  CheckTxType,
  MisbehaviorType,
  ResponseProcessProposal_ProposalStatus as ProposalStatus,
  ResponseVerifyVoteExtension_VerifyStatus as VerifyStatus,
} from 'cosmjs-types/tendermint/abci/types';
import type { ValidatorUpdate } from '../../contracts/index.ts';
import { RESULT_CODES, type ResultCode, resultName } from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import type { LedgerReader } from '../ledger-reader.ts';
import type { Application } from './abci/methods.ts';
import type { CommittedBlock, ConsensusChain } from './consensus-chain.ts';
import { consensusChainName, isAppStateOf } from './consensus-genesis.ts';
import type { MempoolAdmission, MempoolVerdict } from './mempool-admission.ts';
import { objectionTo, packProposal } from './proposal.ts';
import { answerQuery } from './query.ts';
import { retainHeightOf } from './retain-height.ts';
import type { SnapshotServer } from './snapshot/snapshot-server.ts';

/** Changes with the rules of execution: nodes that differ in it may not run one chain. */
const APP_VERSION = 1n;
const CODESPACE = 'careledger';
/** What this node alone says is in a codespace of its own, and above all codes of the ledger. */
const NODE_CODESPACE = 'careledger-node';
const BUSY_CODE = 1_000_000;
const NOTHING = new Uint8Array();

export type ApplicationParts = {
  readonly chain: ConsensusChain;
  readonly mempool: MempoolAdmission;
  readonly reader: LedgerReader;
  readonly snapshots: SnapshotServer;
  /** Which blocks CometBFT may forget; undefined to keep all. */
  readonly retainBlocks: number | undefined;
  /** Told of each committed block of the ledger, and of undefined where a block held no transactions. */
  readonly onCommit: (block: CommittedBlock | undefined) => void;
  /** Told of what CheckTx refuses, when it comes and when it is asked about again after a block. */
  readonly onRefused: (transaction: Uint8Array, verdict: MempoolVerdict) => void;
  readonly log: (line: string) => void;
  /** Aborted when the connection that this application serves is gone. */
  readonly connection: AbortSignal;
};

/** The state machine as CometBFT sees it (ABCI 2.0). Only `commit` writes, and a restored snapshot. */
export function createApplication(parts: ApplicationParts): Application {
  const { chain, snapshots, connection } = parts;
  /** What a connection asked for and has not begun when it goes is not done: the next one begins from what `info` tells it. */
  const inTurn =
    <Request, Answer>(run: (request: Request) => Answer | Promise<Answer>) =>
    (request: Request): Promise<Answer> =>
      chain.inTurn(() => {
        connection.throwIfAborted();
        return run(request);
      });
  return {
    info: inTurn(() => info(parts)),
    initChain: inTurn((request) => initChain(parts, request)),
    query: (request) => answerQuery(parts, request),
    checkTx: (request) => checkTx(parts, request),
    prepareProposal: ({ txs, time, maxTxBytes }) => ({
      txs: [...packProposal(chain, millisecondsOf(time), txs, Number(maxTxBytes))],
    }),
    processProposal: ({ txs, time, height }) => {
      const objection = objectionTo(chain, millisecondsOf(time), txs);
      if (objection !== undefined) parts.log(`The proposal for block ${height} is refused: ${objection}.`);
      return { status: objection === undefined ? ProposalStatus.ACCEPT : ProposalStatus.REJECT };
    },
    extendVote: () => ({ voteExtension: NOTHING }),
    // Extensions are off: a vote with one is not of this protocol.
    verifyVoteExtension: ({ voteExtension }) => ({
      status: voteExtension.length === 0 ? VerifyStatus.ACCEPT : VerifyStatus.REJECT,
    }),
    finalizeBlock: inTurn((request) => finalizeBlock(parts, request)),
    commit: inTurn(() => commit(parts)),
    listSnapshots: () => snapshots.list(),
    offerSnapshot: inTurn((request) => snapshots.offer(request)),
    loadSnapshotChunk: (request) => snapshots.load(request),
    applySnapshotChunk: inTurn((request) => snapshots.apply(request, connection)),
  };
}

/** CometBFT asks at every start and then gives again the blocks after this one. Anyone who may use its RPC can ask too. */
function info({ chain }: ApplicationParts): ResponseInfo {
  const height = chain.consensusHeight;
  return {
    data: CODESPACE,
    version: String(APP_VERSION),
    appVersion: APP_VERSION,
    lastBlockHeight: BigInt(height),
    lastBlockAppHash: height === 0 ? NOTHING : chain.parts.state.seal.appHash,
  };
}

function initChain(
  { chain }: ApplicationParts,
  request: RequestInitChain,
): ReturnType<Application['initChain']> {
  const { genesis } = chain.parts.rules;
  if (chain.parts.state.height > 0) throw ledgerAhead(chain.parts.state.height);
  const isOurs =
    request.initialHeight === 1n &&
    request.chainId === consensusChainName(genesis) &&
    millisecondsOf(request.time) === genesis.timeMs &&
    isAppStateOf(genesis, request.appStateBytes);
  if (!isOurs) {
    throw new AppError(
      'wrong-genesis',
      'The genesis file of CometBFT is not that of this ledger. Give every organisation the same genesis files, and a new ledger folder.',
    );
  }
  // Whatever CometBFT's own genesis file says of validators, those of the ledger's genesis decide.
  return { validators: genesis.validators.map(protobufUpdate), appHash: chain.parts.state.seal.appHash };
}

function checkTx(
  { mempool, onRefused }: ApplicationParts,
  { tx, type }: RequestCheckTx,
): ResponseCheckTx | Promise<ResponseCheckTx> {
  const answered = (verdict: MempoolVerdict): ResponseCheckTx => {
    if (verdict !== RESULT_CODES.ok) onRefused(tx, verdict);
    return verdict === 'busy' ? BUSY : answerFor(verdict);
  };
  const verdict = mempool.check(tx, type === CheckTxType.RECHECK);
  return verdict instanceof Promise ? verdict.then(answered) : answered(verdict);
}

const REST_OF_ANSWER = { data: NOTHING, info: '', gasWanted: 0n, gasUsed: 0n, events: [] };
const BUSY: ResponseCheckTx = { code: BUSY_CODE, log: 'busy', codespace: NODE_CODESPACE, ...REST_OF_ANSWER };

/** One object for each code, so that the answer to CheckTx is encoded once (abci-connection.ts). */
const answers = new Map<ResultCode, ResponseCheckTx>();

function answerFor(code: ResultCode): ResponseCheckTx {
  const known = answers.get(code);
  if (known !== undefined) return known;
  const log = resultName(code) ?? '';
  const answer = { code, log, codespace: CODESPACE, ...REST_OF_ANSWER };
  answers.set(code, answer);
  return answer;
}

function finalizeBlock(
  { chain, log }: ApplicationParts,
  { height, time, txs, misbehavior }: RequestFinalizeBlock,
): ReturnType<Application['finalizeBlock']> {
  for (const one of misbehavior) log(signedTwice(one));
  const { appHash, output, validatorUpdates } = chain.decide(Number(height), millisecondsOf(time), txs);
  const txResults = (output?.results ?? []).map(({ code }) => answerFor(code));
  return { events: [], txResults, validatorUpdates: validatorUpdates.map(protobufUpdate), appHash };
}

async function commit({
  chain,
  onCommit,
  retainBlocks,
}: ApplicationParts): Promise<{ retainHeight: bigint }> {
  const committed = await chain.commit();
  onCommit(committed);
  return { retainHeight: BigInt(retainHeightOf(chain, retainBlocks)) };
}

/** A key that signed two different votes at one height. The evidence is in the block, for all to see. */
function signedTwice({ type, validator, height }: Misbehavior): string {
  const what =
    type === MisbehaviorType.LIGHT_CLIENT_ATTACK ? 'signed a false block for light clients' : 'voted twice';
  return (
    `Validator ${toHex(validator?.address ?? NOTHING).toUpperCase()} ${what} at block ${height}. Does its key run on two nodes, ` +
    'or was an old state of its key restored? Ask its organisation to stop it and to take a new key.'
  );
}

function ledgerAhead(height: number): AppError {
  return new AppError(
    'wrong-genesis',
    `CometBFT begins at its genesis, but this ledger has ${height} blocks already. If a snapshot was being taken over, turn state sync on again; else give CometBFT its data back, or this node an empty ledger folder.`,
  );
}

function protobufUpdate({ consensusKey, power }: ValidatorUpdate): ProtobufUpdate {
  return { pubKey: { ed25519: consensusKey }, power: BigInt(power) };
}

/** The time of a block in the ledger: CometBFT's, without what is below a millisecond. */
function millisecondsOf({ seconds, nanos }: { seconds: bigint; nanos: number }): number {
  return Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
}
