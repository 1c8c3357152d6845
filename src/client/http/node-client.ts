import type { Checkpoint } from '../../ledger/index.ts';
import { type SealedCopy, toBase64, toHex } from '../../shared/index.ts';
import type { StateSubject, VerifiedProof } from '../receipts/index.ts';
import type { EnrolmentRequest, SigningPlace } from '../wallet/index.ts';
import { type AccountAnswer, fetchAccount, textMember } from './accounts.ts';
import { type ExchangeAnswer, type ExchangeRequest, exchange, jsonObjectOf } from './exchange.ts';
import {
  fetchReceipt,
  fetchStateReceipt,
  fetchStateValue,
  type ProvenTransaction,
  type ReceiptOptions,
  submitProven,
} from './ledger-proofs.ts';
import { fetchPromiseCase, requireBindingPromise } from './promises.ts';
import {
  type AskedVersion,
  fetchSealedCopy,
  fetchSealedVersions,
  type SealedVersion,
} from './sealed-records.ts';
import { createSession, type NodeClientOptions, type Session } from './session.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const OCTETS = { 'content-type': 'application/octet-stream' };
const JSON_BODY = { 'content-type': 'application/json' };

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
  receipt(
    id: Uint8Array,
    options?: ReceiptOptions,
  ): Promise<{ readonly receipt: string; readonly verdict: VerifiedProof }>;
  /** What the ledger's state says, or does not say, at a place: a verified receipt. */
  proveState(subject: StateSubject): Promise<string>;
  /** The same, read: the bytes of that place; undefined where the ledger proves that it has nothing there. */
  stateValue(subject: StateSubject): Promise<Uint8Array | undefined>;
  /** What shows whether the promise in a `CareLedger-Log-Promise` header was kept, as a file for `careledger verify`. */
  promiseCase(promiseHeader: string): Promise<string>;
  /** Throws `proof-refused` where a promise that came at this time cannot be held against the custodian. */
  requireBindingPromise(
    promiseHeader: string,
    received: { readonly custodian: Uint8Array; readonly receivedMs: number },
  ): Promise<void>;
  submit(transaction: Uint8Array): Promise<ProvenTransaction>;
  submitConsent(change: ConsentChange): Promise<ProvenTransaction>;
  /** Gives the custodian the terms alone; the transaction is then submitted through any node of the consortium. */
  depositTerms(change: ConsentChange): Promise<void>;
  enrol(request: EnrolmentRequest): Promise<{ readonly patientId: string; readonly accountId: string }>;
  /** What only the wallet of its patient opens: for `openSealedCopy`. */
  sealedCopy(
    asked: AskedVersion,
    token: string,
  ): Promise<{ readonly copy: SealedCopy; readonly promise: string | null }>;
  /** The versions that are sealed to the patient's wallet. */
  sealedVersions(token: string): Promise<readonly SealedVersion[]>;
  /** Exchanges a signed assertion for a session token. */
  token(assertion: string): Promise<{ readonly token: string; readonly expiresInSeconds: number }>;
  /** Any other request; the caller looks at the status. */
  call(path: string, request?: ExchangeRequest & { readonly token?: string }): Promise<ExchangeAnswer>;
};

/** A signed change of a consent, with the terms and the salt it commits to where it sets any. */
export type ConsentChange = {
  readonly transaction: Uint8Array;
  readonly consent?: unknown;
  readonly salt?: Uint8Array;
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
    receipt: (id, options) => fetchReceipt(session, id, options),
    proveState: (subject) => fetchStateReceipt(session, subject),
    stateValue: (subject) => fetchStateValue(session, subject),
    promiseCase: (promiseHeader) => fetchPromiseCase(session, promiseHeader),
    requireBindingPromise: (promiseHeader, received) =>
      requireBindingPromise(session, promiseHeader, received),
    submit: (transaction) =>
      submitProven(session, transaction, '/ledger/transactions', { headers: OCTETS, body: transaction }),
    submitConsent: (change) =>
      submitProven(session, change.transaction, '/wallet/consents', {
        headers: JSON_BODY,
        body: consentBody(change),
      }),
    async depositTerms(change) {
      await ask('/wallet/terms', { method: 'POST', headers: JSON_BODY, body: consentBody(change) });
    },
    async enrol(request) {
      const answer = jsonObjectOf(
        await ask('/wallet/enrol', { method: 'POST', headers: JSON_BODY, body: JSON.stringify(request) }),
      );
      return { patientId: textMember(answer, 'patientId'), accountId: textMember(answer, 'accountId') };
    },
    sealedCopy: (asked, token) => fetchSealedCopy(session, asked, token),
    sealedVersions: (token) => fetchSealedVersions(session, token),
    token: (assertion) => fetchToken(session, assertion),
    call: (path, request = {}) => exchange(session.fetch, baseUrl + path, withToken(request)),
  };
}

function consentBody({ transaction, consent, salt }: ConsentChange): string {
  const opening = salt === undefined ? {} : { salt: toHex(salt) };
  return JSON.stringify({ transaction: toBase64(transaction), consent, ...opening });
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
