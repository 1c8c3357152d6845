/** One organisation's application for the fault campaign, in a process of its own that is killed, stopped and started again. */

import type { RecordedBlock } from '../../src/engine/index.ts';
import { type CometBftEngine, openCometBftEngine } from '../../src/engine/index.ts';
import {
  decodeGenesis,
  decodeTransaction,
  encodeBlock,
  readAccount,
  transactionId,
} from '../../src/ledger/index.ts';
import { AppError, CanonicalWriter, fromHex, sha256, toHex } from '../../src/shared/index.ts';
import type {
  AccountsAnswer,
  Answered,
  ApplicationSettings,
  Asked,
  BlockAnswer,
  HeadAnswer,
  PlaceAnswer,
  Question,
} from './application-protocol.ts';
import { diverge } from './diverging-execution.ts';

const SUBMIT_TIMEOUT_MS = 5_000;

// Nobody is left to stop this process when the campaign is gone.
process.on('disconnect', () => process.exit(0));
const settings = JSON.parse(process.argv[2] ?? '') as ApplicationSettings;
const genesis = decodeGenesis(bytesOf(settings.genesis));
if (!genesis.ok) throw genesis.error;
const engine = await openCometBftEngine({
  folder: settings.folder,
  genesis: genesis.value,
  nodeSeed: bytesOf(settings.nodeSeed),
  rpcUrl: settings.rpcUrl,
  submitTimeoutMs: SUBMIT_TIMEOUT_MS,
  log: (line) => process.stderr.write(`${line}\n`),
});
process.on('message', (asked: Asked) => void reply(asked));
process.send?.({ number: 0 } satisfies Answered);

async function reply({ number, question }: Asked): Promise<void> {
  try {
    process.send?.({ number, answer: await answerTo(engine, question) });
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'internal';
    process.send?.({ number, error: `${code}: ${error instanceof Error ? error.message : error}` });
  }
}

function answerTo(ledger: CometBftEngine, question: Question): unknown {
  if (question.ask === 'head') return headOf(ledger);
  if (question.ask === 'submit') return submit(ledger, bytesOf(question.transaction));
  if (question.ask === 'blocks') return blocksOf(ledger, question.fromHeight);
  if (question.ask === 'accounts') return accountsOf(ledger, question.ids);
  return diverge();
}

function headOf(ledger: CometBftEngine): HeadAnswer {
  const { height, appHash } = ledger.head();
  return { height, appHash: toHex(appHash), consensusHeight: ledger.consensusHeight() };
}

async function submit(ledger: CometBftEngine, bytes: Uint8Array): Promise<PlaceAnswer> {
  const { height, index, code, leafIndex } = await ledger.submit(bytes);
  return { height, index, code, leafIndex };
}

async function blocksOf(ledger: CometBftEngine, fromHeight: number): Promise<BlockAnswer[]> {
  const blocks: BlockAnswer[] = [];
  for await (const recorded of ledger.blocks(fromHeight)) blocks.push(blockAnswer(recorded));
  return blocks;
}

function blockAnswer({ block, results, firstLeaf, head }: RecordedBlock): BlockAnswer {
  const writer = new CanonicalWriter().fixed(sha256(encodeBlock(block)), 32).u32(results.length);
  for (const { code } of results) writer.u16(code);
  const digest = toHex(sha256(writer.fixed(head.appHash, 32).finish()));
  const transactions = block.transactions.map((bytes, index) => {
    const decoded = decodeTransaction(bytes);
    if (!decoded.ok) throw decoded.error;
    return { id: toHex(transactionId(decoded.value.header)), code: results[index]?.code ?? -1 };
  });
  return { height: block.height, firstLeaf, digest, transactions };
}

function accountsOf(ledger: CometBftEngine, ids: readonly string[]): AccountsAnswer {
  return ids.map((id) => readAccount(ledger.state, bytesOf(id))?.nextSequence ?? -1);
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new Error('This is not hexadecimal.');
  return bytes;
}
