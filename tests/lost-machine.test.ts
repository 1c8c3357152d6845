/**
 * What a member goes through whose machine is lost: the ledger is the others' and whole, the vault comes from a backup that is older.
 * Here the embedded engine stands for the consortium; what is said to the ledger, and what is closed meanwhile, is the same.
 */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, mock, test } from 'node:test';
import {
  createNodeClient,
  createWallet,
  enrolmentRequest,
  type PatientKey,
  signGrant,
  signRevocation,
  verifyText,
} from '../src/client/index.ts';
import { actionName } from '../src/contracts/index.ts';
import { decodeTransaction } from '../src/ledger/index.ts';
import { auditNode } from '../src/node/admin/audit.ts';
import { backupNode } from '../src/node/admin/backup.ts';
import {
  type NodeConfig,
  type NodeFinding,
  type RunningNode,
  restoreNode,
  startNode,
} from '../src/node/index.ts';
import { PASSPHRASE, sessionToken, startTestNode, type TestNode } from './node-fixture.ts';
import { consentTo } from './support/research-consent.ts';

let lost: TestNode;
let folder: string;
let restored: string;
/** Of Ana's wallets and Bram's: the vault from the backup knows none of them. */
const wallets = new Map<string, { seed: Uint8Array; key: PatientKey }>();
const consents = new Map<string, Uint8Array>();
let promise: string;
let anchoredSize: number;

before(async () => {
  lost = await startTestNode();
  folder = dirname(lost.data);
  restored = join(folder, 'restored');
  await readChi(lost.node);
  await lost.node.runtime.accessAnchor.anchorNow();
  const backup = join(folder, 'backup');
  await backupNode(lost.node.runtime, backup, () => undefined);
  for (const patient of ['ana', 'bram']) await enrolAndGrant(patient);
  const read = await readChi(lost.node);
  promise = read.headers.get('careledger-log-promise') ?? '';
  await lost.node.close();
  anchoredSize = lost.node.runtime.vault.accessLog.size;
  await restoreNode({ backup, target: restored, keys: join(lost.data, 'keys'), passphrase: PASSPHRASE });
  rmSync(join(restored, 'ledger'), { recursive: true });
  cpSync(join(lost.data, 'ledger'), join(restored, 'ledger'), { recursive: true });
});
after(() => rmSync(folder, { recursive: true, force: true }));

function startRestored(config: Partial<NodeConfig> = {}): Promise<RunningNode> {
  const logSink = (text: string): void => void logged.push(text);
  return startNode({ dataPath: restored, port: 0, passphrase: PASSPHRASE, logSink, ...config });
}
const logged: string[] = [];

async function readChi({ url }: Pick<RunningNode, 'url'>): Promise<Response> {
  const token = await sessionToken(url, lost.demoKey('clinician'));
  const headers = { authorization: `Bearer ${token}` };
  return fetch(`${url}/fhir/R4/Condition/chi-asthma`, { headers });
}

async function enrol({ runtime, url }: RunningNode, patient: string, seed: Uint8Array): Promise<void> {
  const { enrolment, custodian, chainId } = runtime;
  const { code } = await enrolment.issueCode(patient);
  const request = enrolmentRequest(seed, custodian.accountId, chainId, code);
  await createNodeClient({ baseUrl: url }).enrol(request);
}

async function enrolAndGrant(patient: string): Promise<void> {
  const { node } = lost;
  const { seed, keyAt } = await createWallet(join(folder, `${patient}.json`));
  await enrol(node, patient, seed);
  const key = keyAt(node.runtime.custodian.accountId);
  wallets.set(patient, { seed, key });
  const client = createNodeClient({ baseUrl: node.url });
  const grantee = lost.demoKey('researcher').accountId;
  const signed = signGrant(consentTo(grantee, patient), key, await client.signingPlace(key.accountId));
  await client.submitConsent(signed);
  consents.set(patient, signed.consentId);
}

/** As it comes through another member's node: this one does not know whose it is. */
async function revoke({ url, runtime }: RunningNode, patient: string): Promise<void> {
  const client = createNodeClient({ baseUrl: url });
  const { key } = wallets.get(patient) as { key: PatientKey };
  const change = { consentId: consents.get(patient) as Uint8Array, expectedVersion: 1 };
  const revocation = signRevocation(change, await client.signingPlace(key.accountId), key);
  await runtime.engine.submit(revocation.transaction);
}

async function gauge({ url }: RunningNode): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^careledger_lost_patients (\d+)$/m.exec(text)?.[1]);
}

async function actionsOf({ runtime }: RunningNode): Promise<(string | undefined)[]> {
  const names: (string | undefined)[] = [];
  for await (const { block } of runtime.engine.blocks())
    for (const bytes of block.transactions) {
      const decoded = decodeTransaction(bytes);
      if (decoded.ok) names.push(actionName(decoded.value.header.contract, decoded.value.header.action));
    }
  return names;
}

test('a vault from before the newest anchor does not start, and the refusal names what the operator can say', async () => {
  await assert.rejects(startRestored(), (error: { code?: string; message: string }) => {
    assert.equal(error.code, 'damaged');
    assert.match(error.message, /^The access log is not the one .*--accept-loss/);
    return true;
  });
});

/** For the patients that its vault has lost; and what it began before it knew has ended with it. */
async function refusesToStart(): Promise<void> {
  const begun = mock.method(globalThis, 'setInterval');
  const ended = mock.method(globalThis, 'clearInterval');
  try {
    await assert.rejects(startRestored(), { code: 'damaged', message: /lost which patient/ });
    const timers = begun.mock.calls.map(({ result }) => result);
    assert.ok(timers.length > 0);
    const left = timers.filter(
      (timer) => !ended.mock.calls.some(({ arguments: [which] }) => which === timer),
    );
    assert.equal(left.length, 0, 'no timer goes on over a closed vault');
  } finally {
    begun.mock.restore();
    ended.mock.restore();
  }
}

test('with the loss accepted it says so on the ledger, and closes whoever might be a patient that is lost', async () => {
  let node = await startRestored({ acceptLoss: true });
  await node.close();
  await refusesToStart();
  node = await startRestored({ acceptLoss: true });
  try {
    const actions = await actionsOf(node);
    assert.equal(actions.filter((name) => name === 'restart-access-log').length, 1);
    const samples = actions.filter((name) => name === 'register-practitioner');
    assert.equal(samples.length, 2, 'those of the folder that was lost: none are loaded into a restored one');
    assert.match(logged.join(''), /access-log-restarted/);
    assert.match(logged.join(''), /"lost-patients".*"pseudonyms":2/);
    assert.equal(await gauge(node), 2);
    assert.equal((await readChi(node)).status, 404, 'Chi has no wallet: who is lost may be she');

    // One revokes what is still granted, the other enrols again with the same wallet.
    await revoke(node, 'bram');
    assert.equal(await gauge(node).then(async () => (await readChi(node)).status), 404);
    assert.equal(await gauge(node), 1);
    await enrol(node, 'ana', (wallets.get('ana') as { seed: Uint8Array }).seed);
    assert.equal((await readChi(node)).status, 200);
    assert.equal(await gauge(node), 0);

    const findings: NodeFinding[] = [];
    await auditNode(node.runtime, ({ finding }) => {
      if (finding !== undefined) findings.push(finding as NodeFinding);
    });
    const ofLog = findings.filter(({ where }) => where === 'vault: access log');
    assert.deepEqual(
      ofLog.map(({ severity }) => severity),
      ['note'],
    );
    assert.match(String(ofLog[0]?.what), new RegExp(`to ${anchoredSize - 1} were lost, as`));
  } finally {
    await node.close();
  }
});

test('then it starts as ever, and who holds the promise about a lost entry proves it broken', async () => {
  const node = await startRestored({ now: () => Date.now() + 120_000 });
  try {
    await node.runtime.accessAnchor.confirm();
    assert.ok(node.runtime.vault.accessLog.size < anchoredSize + 10);
    const evidence = await createNodeClient({ baseUrl: node.url }).promiseCase(promise);
    const verdict = verifyText(evidence);
    assert.ok(verdict.ok && verdict.promise === 'broken', verdict.statements.join(' '));
    assert.match(
      verdict.statements.join(),
      /declared once, at height \d+, that it lost the end of its access/,
    );
  } finally {
    await node.close();
  }
});
