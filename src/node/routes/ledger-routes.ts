import { parseStateSubject } from '../../client/index.ts';
import {
  actionName,
  CONTRACTS,
  decodeSinglePart,
  readConsent,
  readGrantConsent,
  readParty,
  readReplaceConsent,
} from '../../contracts/index.ts';
import {
  decodeTransaction,
  encodeLightBlock,
  MAX_TRANSACTION_BYTES,
  readSigner,
  resultName,
  type StateReader,
  type Transaction,
  transactionId,
} from '../../ledger/index.ts';
import { AppError, equalBytes, toBase64, toHex } from '../../shared/index.ts';
import type { Vault } from '../../vault/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import { limitAtOnce } from '../concurrency/limit-at-once.ts';
import { bodyBytes, bodyObject, json, type NodeApp, reply } from '../http/app.ts';
import { payloadOf } from '../ledger/commit-watch.ts';
import { answerConsensusRpc } from '../network/consensus-rpc.ts';
import { CONSENSUS_PATH } from '../network/state-sync.ts';
import type { PartsOfNode } from '../runtime.ts';

const JSON_TEXT = { 'content-type': 'application/json' };
const MAX_RPC_BYTES = 4096;
/** Strangers' questions to CometBFT's RPC, whose connections are few: this node's own submissions need it too. */
const QUESTIONS = { running: 8, waiting: 32 };
const OCTETS = { 'content-type': 'application/octet-stream' };

type LedgerParts = PartsOfNode<
  | 'engine'
  | 'genesisBytes'
  | 'chainId'
  | 'consortium'
  | 'prover'
  | 'custodian'
  | 'vault'
  | 'cosigner'
  | 'receipts'
>;

/** The ledger as anybody may read it, and the door for signed transactions. */
export function addLedgerRoutes(app: NodeApp, runtime: LedgerParts): void {
  const { engine } = runtime;
  const limited = limitAtOnce(QUESTIONS);
  app.get('/ledger/genesis', () => reply({ status: 200, headers: OCTETS, body: runtime.genesisBytes }));
  app.get('/ledger/checkpoint', (context) =>
    reply({
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: checkpointAnswer(runtime, isCosigned(context.req.query('cosigned'))),
    }),
  );
  app.get('/ledger/head', async () =>
    reply({ status: 200, headers: JSON_TEXT, body: await runtime.receipts.ofHead() }),
  );
  app.get('/ledger/light-blocks/:height', async (context) =>
    reply({
      status: 200,
      headers: OCTETS,
      body: await limited(() => lightBlockAnswer(runtime, context.req.param('height'))),
    }),
  );
  app.post(CONSENSUS_PATH, async (context) => {
    const request = await bodyObject(context, MAX_RPC_BYTES);
    return reply({
      status: 200,
      headers: JSON_TEXT,
      body: await limited(() => answerConsensusRpc(consensusOf(runtime), request)),
    });
  });
  app.get('/ledger/accounts/:id', (context) =>
    json(accountAnswer(runtime, bytesOfHex(context.req.param('id')))),
  );
  app.get('/ledger/receipts/:id', async (context) => {
    const receipt = await runtime.receipts.ofTransaction(
      bytesOfHex(context.req.param('id'), 'transaction id'),
      isCosigned(context.req.query('cosigned')),
    );
    return reply({ status: 200, headers: JSON_TEXT, body: receipt });
  });
  addProofRoutes(app, runtime);
  app.get('/ledger/blocks/:height', async (context) =>
    json(await blockAnswer(runtime, integer(context.req.param('height')))),
  );
  app.post('/ledger/transactions', async (context) => {
    const bytes = new Uint8Array(await bodyBytes(context, MAX_TRANSACTION_BYTES));
    refuseWithoutTerms(runtime, bytes);
    const { height, index, leafIndex, code, transactionId } = await engine.submit(bytes);
    return json(
      { height, index, leafIndex, code, result: resultName(code), transactionId: toHex(transactionId) },
      201,
    );
  });
}

/** Proofs about the ledger as such: each is checked by whoever asks. */
function addProofRoutes(
  app: NodeApp,
  { engine, receipts, vault }: PartsOfNode<'engine' | 'receipts' | 'vault'>,
): void {
  app.get('/ledger/proofs/consistency', (context) => {
    const from = integer(context.req.query('from'));
    const to = integer(context.req.query('to') ?? String(engine.head().logSize));
    if (from > to || to > engine.head().logSize)
      throw new AppError('invalid-request', 'Ask for 0 ≤ from ≤ to ≤ the size of the log.');
    return json({ from, to, proof: engine.consistencyProof(from, to)?.map(toBase64) });
  });
  app.get('/ledger/proofs/state/:table/:first/:second?', async (context) => {
    const { table, first, second } = context.req.param();
    const ids = [first, second].flatMap((id) => (id === undefined ? [] : [bytesOfHex(id, 'id')]));
    const subject = parseStateSubject(table, ids);
    if (subject === undefined)
      throw new AppError('invalid-request', 'There is no such table, or it takes another number of ids.');
    return reply({ status: 200, headers: JSON_TEXT, body: await receipts.ofState(subject) });
  });
  app.get('/ledger/proofs/key/:id', async (context) => {
    const key = context.req.query('key');
    const held = key === undefined ? undefined : bytesOfHex(key, 'key');
    const receipt = await receipts.ofAccountKey(bytesOfHex(context.req.param('id')), held);
    return reply({ status: 200, headers: JSON_TEXT, body: receipt });
  });
  app.get('/ledger/proofs/access/:index', async (context) =>
    json(await accessProof(vault, integer(context.req.param('index')), integer(context.req.query('size')))),
  );
}

/** The hash of an entry of the access log and its way to an anchored root: it says nothing of what the entry says. */
async function accessProof({ accessLog }: Vault, index: number, size: number): Promise<unknown> {
  if (index >= size || size > accessLog.size)
    throw new AppError('invalid-request', 'Ask for an index below the size, and a size that the log has.');
  const path = accessLog.inclusionProof(index, size);
  const leafHash = (await accessLog.entry(index))?.leafHash;
  if (leafHash === undefined) throw new AppError('not-found', 'The access log has no entry of this index.');
  return { index, size, leafHash: toBase64(leafHash), path: path.map(toBase64) };
}

function checkpointAnswer(
  { engine, cosigner }: PartsOfNode<'engine' | 'cosigner'>,
  cosigned: boolean,
): string {
  if (!cosigned) return cosigner.withCosignatures(engine.head().checkpoint);
  const head = cosigner.covering(0);
  if (head !== undefined) return head.note;
  throw new AppError('not-found', 'No witness has cosigned a head of this ledger yet.');
}

/** A block as validators signed it, for light clients. */
async function lightBlockAnswer({ prover }: PartsOfNode<'prover'>, height: string): Promise<Uint8Array> {
  if (prover === undefined)
    throw new AppError('not-found', 'One operator signs the heads of this ledger: there are no validators.');
  const block = await prover.blocks.lightBlock(height === 'newest' ? height : integer(height));
  if (block === undefined) throw new AppError('not-found', 'This node has no block of this height.');
  return encodeLightBlock(block);
}

function consensusOf({ consortium }: PartsOfNode<'consortium'>): string {
  if (consortium !== undefined) return consortium.rpcUrl;
  throw new AppError(
    'not-found',
    'One operator orders the transactions of this ledger: there is no consensus engine.',
  );
}

function isCosigned(text: string | undefined): boolean {
  if (text === undefined || text === 'false') return false;
  if (text === 'true' || text === '') return true;
  throw new AppError('invalid-request', 'cosigned is true or false.');
}

function accountAnswer(
  { engine, chainId }: PartsOfNode<'engine' | 'chainId'>,
  accountId: Uint8Array,
): unknown {
  const account = readSigner(engine.state, accountId, CONTRACTS);
  const party = readParty(engine.state, accountId);
  if (account === undefined || party === undefined)
    throw new AppError('not-found', 'There is no such account on this ledger.');
  return {
    accountId: toHex(accountId),
    chainId: toHex(chainId),
    height: engine.head().height,
    kind: party.kind,
    organisation: toHex(party.organisation),
    roles: party.roles,
    publicKey: toHex(account.publicKey),
    nextSequence: account.nextSequence,
    status: account.isSuspended ? 'suspended' : 'active',
  };
}

/** A block as the explorer shows it: what kinds of transactions, by whom, with which result. */
async function blockAnswer({ engine }: PartsOfNode<'engine'>, height: number): Promise<unknown> {
  const recorded = await engine.block(height);
  if (recorded === undefined) throw new AppError('not-found', 'There is no block of this height.');
  const transactions = recorded.block.transactions.map((bytes, index) => {
    const decoded = decodeTransaction(bytes);
    const header = decoded.ok ? decoded.value.header : undefined;
    return {
      transactionId: header === undefined ? undefined : toHex(transactionId(header)),
      action: header === undefined ? undefined : actionName(header.contract, header.action),
      signer: header === undefined ? undefined : toHex(header.signer),
      result: resultName(recorded.results[index]?.code ?? -1),
      leafIndex: recorded.firstLeaf + index,
    };
  });
  return { height, timeMs: recorded.block.timeMs, checkpoint: recorded.head.checkpoint, transactions };
}

/** Elsewhere in a consortium a patient may take any node as the door; where the records are, the terms have to come as well. */
function refuseWithoutTerms(
  { engine, custodian }: PartsOfNode<'engine' | 'custodian'>,
  bytes: Uint8Array,
): void {
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok)
    throw new AppError('malformed-transaction', 'The body is not the canonical bytes of one transaction.');
  const place = placeOfTerms(engine.state, decoded.value);
  if (place === undefined || !equalBytes(place, custodian.accountId)) return;
  throw new AppError(
    'transaction-refused',
    'Send this to /wallet/consents, with the consent and the salt it commits to.',
  );
}

/** The custodian who has to know the terms that the transaction sets; undefined when it sets none. */
function placeOfTerms(state: StateReader, { header, parts }: Transaction): Uint8Array | undefined {
  const name = actionName(header.contract, header.action);
  if (name === 'grant-consent') return payloadOf(decodeSinglePart(parts, readGrantConsent))?.custodian;
  if (name !== 'replace-consent') return undefined;
  const target = payloadOf(decodeSinglePart(parts, readReplaceConsent));
  return target && readConsent(state, target.consentId)?.custodian;
}

function integer(text: string | undefined): number {
  const value = Number(text);
  if (text !== undefined && /^\d{1,15}$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new AppError('invalid-request', 'A size or height must be a whole number.');
}
