/** A running node with the matrix's parties, patients, records and consents, asked over its own HTTP door. */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createNodeClient,
  createWallet,
  enrolmentRequest,
  type NodeClient,
  type PatientKey,
  type SignedConsent,
  signDelegation,
  signGrant,
  signReplacement,
  signRevocation,
} from '../../src/client/index.ts';
import { encodeRegistration, provePossession, type Role as RegistryRole } from '../../src/contracts/index.ts';
import { createKey, type KeyFile } from '../../src/node/index.ts';
import { createAccountSigner } from '../../src/node/ledger/account-signer.ts';
import { fromHex, toHex } from '../../src/shared/index.ts';
import type { FhirConsent } from '../consent/fhir-consent.ts';
import { sessionToken, startTestNode, type TestNode } from '../node-fixture.ts';
import { type Accounts, KINDS, type Kind, type Role, STATES, type State } from './matrix-oracle.ts';
import { type Json, recordOf } from './matrix-records.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
export interface Ask {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
export interface MatrixWorld {
  ask(role: Role, patientId: string, path: string, ask?: Ask): Promise<Reply>;
  close(): Promise<void>;
}

export const patientIdOf = (state: State): string => `m${String(STATES.indexOf(state)).padStart(2, '0')}`;
const OTHER_PATIENT = 'm90';
const DELEGATE = 'm91';
const MAX_TRIES = 4;
const TOKEN_LIFETIME_MS = 200_000;
const EXPIRES_AFTER_MS = 4000;

/** Starts it. For the twin of a requester, `keeps` says which records there are, and `keepsPart` which of their parts. */
export async function createMatrixWorld(
  states: readonly State[],
  keeps: (state: State, kind: Kind) => boolean = () => true,
  keepsPart = keeps,
): Promise<MatrixWorld> {
  const node = await startTestNode({ withSamples: false });
  const folder = mkdtempSync(join(tmpdir(), 'careledger-matrix-'));
  const keys = await registerParties(node);
  const ask = asker(node);
  const write = async (resource: Json) => {
    const token = await tokens.of('clinician');
    const reply = await ask(token, `${resource.resourceType}/${resource.id}`, {
      method: 'PUT',
      body: resource,
    });
    if (reply.status !== 201) throw new Error(`${resource.resourceType}/${resource.id}: ${reply.body}`);
    // Each in a millisecond of its own, so that a world and its twin list them in one order.
    const writtenMs = Date.parse(JSON.parse(reply.body).meta.lastUpdated);
    while (Date.now() <= writtenMs) await new Promise((resolve) => setImmediate(resolve));
  };
  const patients = new Map<string, PatientKey>();
  const tokens = tokenStore(node, keys, patients);
  const patientKind = KINDS[0] as Kind;
  for (const id of [OTHER_PATIENT, DELEGATE]) await write(recordOf(id, patientKind, id, 'nobody'));
  for (const state of states)
    for (const kind of KINDS)
      if (kind === patientKind || keeps(state, kind))
        await write(recordOf(patientIdOf(state), kind, undefined, undefined, keepsPart(state, kind)));
  const client = createNodeClient({ baseUrl: node.url });
  for (const id of [OTHER_PATIENT, DELEGATE, ...states.map(patientIdOf)])
    patients.set(id, await enrol(node, client, join(folder, `${id}.json`), id));
  const accounts: Accounts = {
    hospital: keys.hospital.accountId,
    outsideClinician: keys.outsideClinician.accountId,
    researcher: keys.researcher.accountId,
    insurer: keys.insurer.accountId,
    clinician: keys.clinician.accountId,
    delegate: toHex((patients.get(DELEGATE) as PatientKey).accountId),
  };
  await Promise.all(states.map((state) => speak(client, state, accounts, patients)));
  return {
    ask: async (role, patientId, path, what) => ask(await tokens.of(role, patientId), path, what),
    async close() {
      ask.agent.destroy();
      await node.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Keys = Readonly<
  Record<
    'hospital' | 'outsideClinician' | 'researcher' | 'insurer' | 'clinician' | 'device',
    Pick<KeyFile, 'accountId' | 'seed'>
  >
>;

async function registerParties(node: TestNode): Promise<Keys> {
  const { engine, chainId, custodian } = node.node.runtime;
  const register = async (by: typeof custodian, kind: string, role: RegistryRole): Promise<KeyFile> => {
    const key = createKey(role);
    const publicKey = fromHex(key.publicKey) as Uint8Array;
    const possessionProof = provePossession(chainId, by.accountId, publicKey, key.seed);
    const registration = encodeRegistration({ publicKey, possessionProof, roles: [role] });
    await by.submit(`register-${kind}` as 'register-device', [registration]);
    return key;
  };
  const employer = ({ seed }: KeyFile) => createAccountSigner({ engine, chainId, seed });
  const hospital = await register(custodian, 'organisation', 'hospital');
  const institute = await register(custodian, 'organisation', 'research-institute');
  return {
    hospital,
    outsideClinician: await register(employer(hospital), 'practitioner', 'physician'),
    researcher: await register(employer(institute), 'practitioner', 'researcher'),
    insurer: await register(custodian, 'organisation', 'insurer'),
    device: await register(custodian, 'device', 'medical-device'),
    clinician: await register(custodian, 'practitioner', 'physician'),
  };
}

async function enrol(
  node: TestNode,
  client: NodeClient,
  path: string,
  patientId: string,
): Promise<PatientKey> {
  const { enrolment, custodian, chainId } = node.node.runtime;
  const wallet = await createWallet(path);
  const { code } = await enrolment.issueCode(patientId);
  await client.enrol(enrolmentRequest(wallet.seed, custodian.accountId, chainId, code));
  return wallet.keyAt(custodian.accountId);
}

/** The patient of a state records the delegate, and says what the state has them say. */
async function speak(
  client: NodeClient,
  state: State,
  accounts: Accounts,
  patients: ReadonlyMap<string, PatientKey>,
): Promise<void> {
  const patientId = patientIdOf(state);
  const patient = patients.get(patientId) as PatientKey;
  const place = () => client.signingPlace(patient.accountId);
  const delegate = fromHex(accounts.delegate) as Uint8Array;
  await client.submit(signDelegation('appoint-delegate', delegate, await place(), patient).transaction);
  let last: SignedConsent | undefined;
  for (const consent of state.consents(accounts, patientId)) {
    const spoken = addressed(consent, patientId, state);
    const change = last !== undefined &&
      state.becomes === 'replaced' && { consentId: last.consentId, expectedVersion: 1 };
    last = change
      ? signReplacement(spoken, change, await place(), patient)
      : signGrant(spoken, patient, await place());
    await client.submitConsent(last);
  }
  if (last !== undefined && state.becomes === 'revoked')
    await client.submitConsent(
      signRevocation({ consentId: last.consentId, expectedVersion: 1 }, await place(), patient),
    );
  if (state.becomes === 'expired')
    await new Promise((resolve) => setTimeout(resolve, EXPIRES_AFTER_MS + 100));
}

function addressed(consent: FhirConsent, patientId: string, state: State): unknown {
  const end = new Date(Date.now() + EXPIRES_AFTER_MS).toISOString();
  const provision =
    state.becomes === 'expired' ? { ...consent.provision, period: { end } } : consent.provision;
  return { ...consent, provision, patient: { reference: `Patient/${patientId}` } };
}

/** Session tokens, renewed before they end. */
function tokenStore(node: TestNode, keys: Keys, patients: ReadonlyMap<string, PatientKey>) {
  const known = new Map<string, { token: Promise<string>; atMs: number }>();
  const issue = (role: Role, patientId: string): Promise<string> => {
    const ofPatient = { self: patientId, otherPatient: OTHER_PATIENT, delegate: DELEGATE }[role as 'self'];
    if (ofPatient !== undefined) {
      const { accountId, seed } = patients.get(ofPatient) as PatientKey;
      return sessionToken(node.url, { accountId: toHex(accountId), seed });
    }
    if (role === 'clinicianResearching') return sessionToken(node.url, keys.clinician, 'HRESCH');
    const purpose = { researcher: 'HRESCH', insurer: 'HPAYMT' }[role as 'insurer'];
    return sessionToken(node.url, keys[role as 'insurer'], purpose);
  };
  return {
    of(role: Role, patientId = ''): Promise<string> {
      const name = role === 'self' ? `self ${patientId}` : role;
      const held = known.get(name);
      if (held !== undefined && Date.now() - held.atMs < TOKEN_LIFETIME_MS) return held.token;
      const token = issue(role, patientId);
      known.set(name, { token, atMs: Date.now() });
      return token;
    },
  };
}

function asker(node: TestNode) {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const ask = (token: string, path: string, what: Ask = {}, tries = 1): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', body, headers = {} } = what;
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const type = typeof body === 'string' ? 'application/x-www-form-urlencoded' : 'application/fhir+json';
      const outgoing = httpRequest(
        `${node.url}/fhir/R4/${path}`,
        {
          agent,
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(text !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
            ...headers,
          },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('end', () =>
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers as Record<string, string>,
              // The address differs from node to node, and from run to run.
              body: Buffer.concat(chunks).toString().replaceAll(node.url, 'http://node'),
            }),
          );
        },
      );
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // On a busy machine the server closes connections on which no request came in time; it has not seen this one.
        if (error.code === 'ECONNRESET' && tries < MAX_TRIES) resolve(ask(token, path, what, tries + 1));
        else reject(error);
      });
      outgoing.end(text);
    });
  return Object.assign(ask, { agent });
}
