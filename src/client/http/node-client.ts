import {
  type Checkpoint,
  chainIdOf,
  decodeGenesis,
  decodePromise,
  decodeTransaction,
  transactionId,
} from '../../ledger/index.ts';
import { AppError, equalBytes, fromBase64, fromHex, toBase64, toHex } from '../../shared/index.ts';
import type { PinnedHeads } from '../heads/pinned-heads.ts';
import {
  type PromiseCase,
  type ProofVerdict,
  parseReceipt,
  type StateSubject,
  type Trust,
  type VerifiedProof,
  verifyCheckpointNote,
  verifyReceipt,
} from '../receipts/index.ts';
import type { EnrolmentRequest, SigningPlace } from '../wallet/index.ts';
import {
  type ExchangeAnswer,
  type ExchangeRequest,
  exchange,
  exchangeOk,
  type Fetch,
  jsonObjectOf,
  textOf,
  unreadable,
} from './exchange.ts';
import { collectPromiseCase, readStateReceipt, statePath } from './state-proofs.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const OCTETS = { 'content-type': 'application/octet-stream' };
const JSON_BODY = { 'content-type': 'application/json' };
const MAX_HASHES = 64;

export type NodeClientOptions = {
  readonly baseUrl: string;
  readonly trust?: Trust;
  /** Without it, a node that goes back to an older ledger between two runs is not noticed. */
  readonly pinnedHeads?: PinnedHeads;
  readonly fetch?: Fetch;
};

/** An account as the node tells it; what is signed on its strength is checked again by the ledger. */
export type AccountAnswer = {
  readonly accountId: string;
  readonly publicKey: string;
  readonly nextSequence: number;
  readonly height: number;
  readonly status: string;
  readonly kind: string;
};

/** A transaction that is on the ledger, with the receipt that proves it and what the receipt says. */
export type ProvenTransaction = {
  readonly answer: Record<string, unknown>;
  readonly receipt: string;
  readonly verdict: VerifiedProof;
};

/** A client of one node that believes no answer about the ledger without its proof. */
export type NodeClient = {
  readonly baseUrl: string;
  readonly tokenEndpoint: string;
  /** What the node says it is; nothing of it is proven. */
  describe(): Promise<Record<string, unknown>>;
  /** The genesis bytes; they must hash to the trusted chain id. */
  genesis(): Promise<{ readonly bytes: Uint8Array; readonly chainId: Uint8Array }>;
  /** The newest head: signed, and continuing the pinned one. */
  head(): Promise<{ readonly note: string; readonly checkpoint: Checkpoint }>;
  account(accountId: Uint8Array): Promise<AccountAnswer>;
  /** What the next transaction of an account has to say of its place. */
  signingPlace(accountId: Uint8Array): Promise<SigningPlace>;
  /** The receipt of a transaction, verified, under a head that continues the pinned one. */
  receipt(id: Uint8Array): Promise<{ readonly receipt: string; readonly verdict: VerifiedProof }>;
  /** What the ledger's state says, or does not say, at a place: a verified receipt. */
  proveState(subject: StateSubject): Promise<string>;
  /** What shows whether the promise in a `CareLedger-Log-Promise` header was kept, as a file for `careledger verify`. */
  promiseCase(promiseHeader: string, leaf?: PromiseCase['leaf']): Promise<string>;
  submit(transaction: Uint8Array): Promise<ProvenTransaction>;
  submitConsent(change: {
    readonly transaction: Uint8Array;
    readonly consent?: unknown;
    readonly salt?: Uint8Array;
  }): Promise<ProvenTransaction>;
  enrol(request: EnrolmentRequest): Promise<{ readonly patientId: string; readonly accountId: string }>;
  /** Exchanges a signed assertion for a session token. */
  token(assertion: string): Promise<{ readonly token: string; readonly expiresInSeconds: number }>;
  /** Any other request; the caller looks at the status. */
  call(path: string, request?: ExchangeRequest & { readonly token?: string }): Promise<ExchangeAnswer>;
};

export function createNodeClient(options: NodeClientOptions): NodeClient {
  const session = createSession(options);
  const { baseUrl, ask } = session;
  return {
    baseUrl,
    tokenEndpoint: `${baseUrl}/auth/token`,
    describe: async () => jsonObjectOf(await ask('/', { headers: { accept: 'application/json' } })),
    genesis: session.genesis,
    head: session.head,
    account: (accountId) => fetchAccount(session, accountId),
    async signingPlace(accountId) {
      const { chainId } = await session.genesis();
      const { nextSequence, height } = await fetchAccount(session, accountId);
      return { chainId, nextSequence, height };
    },
    receipt: (id) => fetchReceipt(session, id),
    proveState: (subject) => fetchStateReceipt(session, subject),
    promiseCase: (promiseHeader, leaf) => fetchPromiseCase(session, promiseHeader, leaf),
    submit: (transaction) =>
      submitProven(session, transaction, '/ledger/transactions', { headers: OCTETS, body: transaction }),
    submitConsent(change) {
      const salt = change.salt === undefined ? {} : { salt: toHex(change.salt) };
      const body = JSON.stringify({
        transaction: toBase64(change.transaction),
        consent: change.consent,
        ...salt,
      });
      return submitProven(session, change.transaction, '/wallet/consents', { headers: JSON_BODY, body });
    },
    async enrol(request) {
      const answer = jsonObjectOf(
        await ask('/wallet/enrol', { method: 'POST', headers: JSON_BODY, body: JSON.stringify(request) }),
      );
      return { patientId: textMember(answer, 'patientId'), accountId: textMember(answer, 'accountId') };
    },
    token: (assertion) => fetchToken(session, assertion),
    call: (path, request = {}) => exchange(session.fetch, baseUrl + path, withToken(request)),
  };
}

type Session = {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  readonly trust: Trust;
  ask(path: string, request?: ExchangeRequest): Promise<ExchangeAnswer>;
  genesis: NodeClient['genesis'];
  head: NodeClient['head'];
  /** Takes a head that is signed, if it continues the pinned one. */
  pin(note: string): Promise<void>;
};

function createSession({
  baseUrl: address,
  trust = {},
  pinnedHeads,
  fetch = globalThis.fetch,
}: NodeClientOptions): Session {
  const baseUrl = checkedBaseUrl(address);
  const ask = (path: string, request: ExchangeRequest = {}) => exchangeOk(fetch, baseUrl + path, request);
  let known: Awaited<ReturnType<NodeClient['genesis']>> | undefined;
  const genesis = async () => {
    known ??= readGenesis((await ask('/ledger/genesis')).bytes, trust);
    return known;
  };
  const pin = async (note: string): Promise<void> => {
    await pinnedHeads?.accept(note, async (from, to) =>
      hashesOf(jsonObjectOf(await ask(`/ledger/proofs/consistency?from=${from}&to=${to}`)).proof),
    );
  };
  const head = async () => {
    const note = textOf(await ask('/ledger/checkpoint'));
    const { bytes, chainId } = await genesis();
    const { checkpoint } = requireVerified(verifyCheckpointNote(note, bytes, { ...trust, chainId }));
    await pin(note);
    return { note, checkpoint };
  };
  return { baseUrl, fetch, trust, ask, genesis, head, pin };
}

async function submitProven(
  session: Session,
  transaction: Uint8Array,
  path: string,
  request: ExchangeRequest,
): Promise<ProvenTransaction> {
  const decoded = decodeTransaction(transaction);
  if (!decoded.ok)
    throw new AppError(
      'malformed-transaction',
      'The transaction is not the canonical bytes of one. Sign it again.',
    );
  const answer = jsonObjectOf(await session.ask(path, { ...request, method: 'POST' }));
  return { answer, ...(await fetchReceipt(session, transactionId(decoded.value.header))) };
}

/** The receipt must hold, be about the asked transaction, be of the trusted chain, and rest on a head that continues the pinned one. */
async function fetchReceipt(
  session: Session,
  id: Uint8Array,
): Promise<{ receipt: string; verdict: VerifiedProof }> {
  const { chainId } = await session.genesis();
  const receipt = textOf(await session.ask(`/ledger/receipts/${toHex(id)}`));
  const verdict = requireVerified(verifyReceipt(receipt, { ...session.trust, chainId }));
  if (verdict.transactionId === undefined || !equalBytes(verdict.transactionId, id)) {
    throw new AppError(
      'proof-refused',
      'The node answered with the receipt of another transaction. Do not rely on it.',
    );
  }
  const parsed = parseReceipt(receipt);
  if (parsed.ok) await session.pin(parsed.value.checkpoint);
  return { receipt, verdict };
}

/** Under a head that continues the pinned one, like every other proof. */
async function fetchStateReceipt(session: Session, subject: StateSubject): Promise<string> {
  const { chainId } = await session.genesis();
  const receipt = textOf(await session.ask(statePath(subject)));
  requireVerified(verifyReceipt(receipt, { ...session.trust, chainId }));
  await session.pin(readStateReceipt(receipt, subject).checkpoint);
  return receipt;
}

async function fetchPromiseCase(
  session: Session,
  promiseHeader: string,
  leaf: PromiseCase['leaf'] | undefined,
): Promise<string> {
  const promise = decodePromise(promiseHeader);
  if (!promise.ok) throw new AppError('invalid-request', promise.error);
  const key = fromHex((await fetchAccount(session, promise.value.custodian)).publicKey);
  if (key?.length !== 32) throw unreadable();
  return collectPromiseCase(promiseHeader, key, (subject) => fetchStateReceipt(session, subject), leaf);
}

async function fetchAccount(session: Session, accountId: Uint8Array): Promise<AccountAnswer> {
  const answer = jsonObjectOf(await session.ask(`/ledger/accounts/${toHex(accountId)}`));
  const { nextSequence, height } = answer;
  if (!Number.isSafeInteger(nextSequence) || !Number.isSafeInteger(height)) throw unreadable();
  const [id, publicKey, status, kind] = ['accountId', 'publicKey', 'status', 'kind'].map((name) =>
    textMember(answer, name),
  ) as [string, string, string, string];
  return {
    accountId: id,
    publicKey,
    status,
    kind,
    nextSequence: nextSequence as number,
    height: height as number,
  };
}

async function fetchToken(
  session: Session,
  assertion: string,
): Promise<{ token: string; expiresInSeconds: number }> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = jsonObjectOf(
    await session.ask('/auth/token', { method: 'POST', headers, body: form.toString() }),
  );
  const { expires_in: expiresInSeconds } = answer;
  return {
    token: textMember(answer, 'access_token'),
    expiresInSeconds: typeof expiresInSeconds === 'number' ? expiresInSeconds : 0,
  };
}

function readGenesis(bytes: Uint8Array, trust: Trust): { bytes: Uint8Array; chainId: Uint8Array } {
  const genesis = decodeGenesis(bytes);
  if (!genesis.ok) throw new AppError('proof-refused', 'The node gave a genesis that is not valid.');
  const chainId = chainIdOf(genesis.value);
  if (trust.chainId === undefined || equalBytes(trust.chainId, chainId)) return { bytes, chainId };
  throw new AppError(
    'wrong-genesis',
    `The node serves chain ${toHex(chainId)}, and you trust ${toHex(trust.chainId)}. Check the address.`,
  );
}

function requireVerified(verdict: ProofVerdict): VerifiedProof {
  if (verdict.ok) return verdict;
  throw new AppError(
    'proof-refused',
    `The node's proof does not hold (${verdict.code}). ${verdict.notProven.join(' ')} Do not rely on this node.`,
  );
}

function hashesOf(value: unknown): Uint8Array[] {
  if (!Array.isArray(value) || value.length > MAX_HASHES) throw unreadable();
  return value.map((item: unknown) => {
    const bytes = typeof item === 'string' ? fromBase64(item) : undefined;
    if (bytes?.length !== 32) throw unreadable();
    return bytes;
  });
}

function textMember(answer: Record<string, unknown>, name: string): string {
  const value = answer[name];
  if (typeof value !== 'string') throw unreadable();
  return value;
}

function withToken({
  token,
  headers = {},
  ...request
}: ExchangeRequest & { readonly token?: string }): ExchangeRequest {
  return {
    ...request,
    headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
  };
}

function checkedBaseUrl(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isPlain =
    url !== undefined &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.search === '' &&
    url.hash === '';
  if (!isPlain)
    throw new AppError(
      'usage',
      'The address of the node must look like https://hospital.example or http://127.0.0.1:8490.',
    );
  return url.href.replace(/\/+$/, '');
}
