/** A small node with a bit of everything: records, an enrolled patient, a consent, accesses, an erasure. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createNodeClient,
  createWallet,
  enrolmentRequest,
  type PatientKey,
  signGrant,
} from '../../src/client/index.ts';
import { decodeTransaction, transactionId } from '../../src/ledger/index.ts';
import { backupNode } from '../../src/node/admin/backup.ts';
import { eraseAndRecord } from '../../src/node/admin/erasure.ts';
import { importBundle } from '../../src/node/admin/import.ts';
import { type RunningNode, startNode } from '../../src/node/index.ts';
import { toHex } from '../../src/shared/index.ts';
import { PASSPHRASE, sessionToken } from '../node-fixture.ts';
import { consentTo } from './research-consent.ts';

export type ReferenceNode = {
  readonly folder: string;
  readonly data: string;
  readonly backup: string;
  /** One of each kind that the node hands out. */
  readonly receipts: Readonly<Record<string, string>>;
  remove(): void;
};

type Json = Record<string, unknown>;

const HBA1C = { coding: [{ system: 'http://loinc.org', code: '4548-4' }] };

function observation(id: string): Json {
  return {
    resourceType: 'Observation',
    id,
    status: 'final',
    code: HBA1C,
    subject: { reference: 'Patient/ref' },
    valueQuantity: { value: 6.1, unit: '%', system: 'http://unitsofmeasure.org', code: '%' },
  };
}

export function bundleOf(resources: readonly Json[]): Json {
  const entry = resources.map((resource) => ({
    resource,
    request: { method: 'PUT', url: `${String(resource.resourceType)}/${String(resource.id)}` },
  }));
  return { resourceType: 'Bundle', type: 'transaction', entry };
}

/** Makes the node, uses it, backs it up and stops it. */
export async function referenceNode(): Promise<ReferenceNode> {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-reference-'));
  const data = join(folder, 'data');
  const backup = join(folder, 'backup');
  const node = await startNode({
    dataPath: data,
    port: 0,
    passphrase: PASSPHRASE,
    logLevel: 'silent',
    withSamples: false,
    anchorEveryMs: 3_600_000,
  });
  try {
    const receipts = await useNode(node, folder);
    await backupNode(node.runtime, backup, () => undefined);
    return { folder, data, backup, receipts, remove: () => rmSync(folder, { recursive: true, force: true }) };
  } finally {
    await node.close();
  }
}

async function useNode(node: RunningNode, folder: string): Promise<Record<string, string>> {
  const { runtime } = node;
  const patient = { resourceType: 'Patient', id: 'ref', birthDate: '1980-02-03' };
  await importBundle(runtime, bundleOf([patient, observation('one'), observation('two')]));
  const key = await enrolPatient(node, 'ref', join(folder, 'wallet.json'));
  const consent = await grantTo(node, 'ref', key, toHex(key.accountId));
  const token = await sessionToken(node.url, { accountId: toHex(key.accountId), seed: key.seed });
  const get = (path: string): Promise<Response> =>
    fetch(`${node.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  await get('/fhir/R4/Observation/one');
  await runtime.accessAnchor.anchorNow();
  await get('/fhir/R4/Observation/none');
  const version = await (await get('/records/Observation/one/receipt')).text();
  await runtime.accessAnchor.anchorNow();
  await eraseAndRecord('Observation/two', runtime);
  return {
    consent,
    'record-version': version,
    'access-entry': await accessReceipt(node),
    transaction: await runtime.receipts.ofTransaction(await erasureId(node)),
  };
}

/** Binds a new wallet to a patient. */
export async function enrolPatient(
  node: RunningNode,
  patientId: string,
  wallet: string,
): Promise<PatientKey> {
  const { enrolment, custodian, chainId } = node.runtime;
  const { seed, keyAt } = await createWallet(wallet);
  const { code } = await enrolment.issueCode(patientId);
  const request = enrolmentRequest(seed, custodian.accountId, chainId, code);
  await createNodeClient({ baseUrl: node.url }).enrol(request);
  return keyAt(custodian.accountId);
}

/** Grants somebody what a consent can grant for research; gives the receipt. */
export async function grantTo(
  node: RunningNode,
  patientId: string,
  key: PatientKey,
  grantee: string,
): Promise<string> {
  const client = createNodeClient({ baseUrl: node.url });
  const signed = signGrant(consentTo(grantee, patientId), key, await client.signingPlace(key.accountId));
  return (await client.submitConsent(signed)).receipt;
}

async function accessReceipt({ runtime }: RunningNode): Promise<string> {
  const entry = await runtime.vault.accessLog.entry(0);
  const receipt = entry && (await runtime.receipts.ofAccessEntry(entry));
  if (receipt === undefined) throw new Error('no receipt of an access entry');
  return receipt;
}

async function erasureId({ runtime }: RunningNode): Promise<Uint8Array> {
  const { height } = runtime.engine.head();
  const recorded = await runtime.engine.block(height);
  const transaction = decodeTransaction(recorded?.block.transactions.at(-1) ?? new Uint8Array(0));
  if (!transaction.ok) throw new Error('no transaction at the head');
  return transactionId(transaction.value.header);
}
