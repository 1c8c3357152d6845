/**
 * Canaries of two patients through a running node: in searched values, contained resources, attachments, consents and ids. A
 * record is erased, then a patient. No file of the node, of its database or of a backup ever holds a canary in the clear, the
 * backups from before cannot be opened with what is left, and the receipts from before still verify.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createNodeClient, type PatientKey, signGrant } from '../src/client/index.ts';
import { verifyText } from '../src/client/receipts/index.ts';
import { auditNode } from '../src/node/admin/audit.ts';
import { backupNode } from '../src/node/admin/backup.ts';
import { eraseAndRecord } from '../src/node/admin/erasure.ts';
import { importBundle } from '../src/node/admin/import.ts';
import { auditFolder, type NodeConfig, type RunningNode, restoreNode, startNode } from '../src/node/index.ts';
import { toHex, utf8 } from '../src/shared/index.ts';
import { hasPostgres, startPostgres } from '../src/vault/testing/start-postgres.ts';
import { PASSPHRASE, sessionToken } from './node-fixture.ts';
import { bundleOf, enrolPatient } from './support/reference-node.ts';
import { consentTo } from './support/research-consent.ts';

type Json = Record<string, unknown>;

/** What is planted: letters and digits only, so that no escaping changes it, and long enough to be no accident. */
const ERASED = 'cnryErasedZq7Xw3';
const KEPT = 'cnryKeptVm4Rt8Kd';
const MIN_FILES = 10;

const QUIET = { port: 0, passphrase: PASSPHRASE, withSamples: false, anchorEveryMs: 3_600_000 } as const;

/** Everything about one patient, with the canary wherever a resource has room for one. */
function recordsOf(id: string, canary: string): Json[] {
  const subject = { reference: `Patient/${id}` };
  const code = { coding: [{ system: 'http://loinc.org', code: '4548-4' }], text: `${canary}code` };
  return [
    {
      resourceType: 'Patient',
      id,
      identifier: [{ system: 'urn:example:mrn', value: `${canary}identifier` }],
      name: [{ family: `${canary}family`, given: [`${canary}given`] }],
      telecom: [{ system: 'phone', value: `${canary}phone` }],
      address: [{ city: `${canary}city` }],
      birthDate: '1971-06-05',
    },
    {
      resourceType: 'Observation',
      id: `${canary}observation`,
      status: 'final',
      code,
      subject,
      contained: [{ resourceType: 'Practitioner', id: 'author', name: [{ family: `${canary}contained` }] }],
      performer: [{ reference: '#author' }],
      valueString: `${canary}value`,
      note: [{ text: `${canary}note` }],
    },
    {
      resourceType: 'Condition',
      id: `${id}-condition`,
      subject,
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
      },
      code: { coding: [{ system: 'http://snomed.info/sct', code: '86406008', display: `${canary}display` }] },
    },
    {
      resourceType: 'DocumentReference',
      id: `${id}-document`,
      status: 'current',
      subject,
      content: [
        {
          attachment: {
            contentType: 'text/plain',
            data: Buffer.from(`${canary}attached`).toString('base64'),
            title: `${canary}title`,
          },
        },
      ],
    },
  ];
}

/** A canary as it could lie in a file: as text in two encodings, in hexadecimal, and in base64 at each alignment. */
function formsOf(canary: string): { readonly name: string; readonly bytes: Buffer }[] {
  const plain = Buffer.from(canary);
  const wide = Buffer.from(canary, 'utf16le');
  const forms = [
    { name: 'plain', bytes: plain },
    { name: 'lower case', bytes: Buffer.from(canary.toLowerCase()) },
    { name: 'upper case', bytes: Buffer.from(canary.toUpperCase()) },
    { name: 'UTF-16LE', bytes: wide },
    { name: 'UTF-16BE', bytes: Buffer.from(wide).swap16() },
    { name: 'hex', bytes: Buffer.from(plain.toString('hex')) },
    { name: 'HEX', bytes: Buffer.from(plain.toString('hex').toUpperCase()) },
  ];
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), plain])
      .toString('base64')
      .replace(/=+$/, '');
    // The characters at both ends also depend on the neighbours of the canary.
    const inner = text.slice(before === 0 ? 0 : before + 1, -1);
    forms.push({ name: `base64 at ${before}`, bytes: Buffer.from(inner) });
  }
  return forms;
}

function filesBelow(folders: readonly string[]): { readonly path: string; readonly bytes: Buffer }[] {
  return folders
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
    .map((path) => ({ path, bytes: readFileSync(path) }));
}

/** Where a canary is found, in whatever form. */
function traces(sources: readonly { readonly path: string; readonly bytes: Buffer }[]): string[] {
  const forms = [ERASED, KEPT].flatMap(formsOf);
  return sources.flatMap(({ path, bytes }) =>
    forms.filter((form) => bytes.includes(form.bytes)).map((form) => `${form.name} in ${path}`),
  );
}

/** All that this process prints while `work` runs. */
async function printedBy(work: () => Promise<void>): Promise<string> {
  const printed: string[] = [];
  const streams = [process.stdout, process.stderr];
  const originals = streams.map((stream) => stream.write);
  for (const [at, stream] of streams.entries()) {
    stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
      printed.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1'));
      return originals[at]?.call(stream, chunk, ...rest) ?? true;
    }) as typeof stream.write;
  }
  try {
    await work();
  } finally {
    for (const [at, stream] of streams.entries()) stream.write = originals[at] as typeof stream.write;
  }
  return printed.join('');
}

type Store = { readonly vaultUrl?: string; readonly folders: readonly string[]; another(): Promise<string> };

/** One node with its files, and what it told its log. */
class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'careledger-erasure-'));
  readonly data = join(this.folder, 'data');
  readonly backups = join(this.folder, 'backups');
  readonly logged: string[] = [];
  readonly store: Store;
  node!: RunningNode;
  patient!: PatientKey;
  consentId!: string;
  token = '';

  constructor(store: Store) {
    this.store = store;
  }

  async start(): Promise<void> {
    const { vaultUrl } = this.store;
    this.node = await this.startOn(this.data, vaultUrl === undefined ? {} : { vaultUrl });
  }

  startOn(dataPath: string, config: Partial<NodeConfig> = {}): Promise<RunningNode> {
    const logSink = (text: string): void => void this.logged.push(text);
    return startNode({ ...QUIET, dataPath, logLevel: 'debug', logSink, ...config });
  }

  async signIn(): Promise<void> {
    const { accountId, seed } = this.patient;
    this.token = await sessionToken(this.node.url, { accountId: toHex(accountId), seed });
  }

  get(path: string): Promise<Response> {
    return fetch(`${this.node.url}${path}`, { headers: { authorization: `Bearer ${this.token}` } });
  }

  /** The files of the node, its database and its backups; the wallet is the patient's own. */
  files(): { readonly path: string; readonly bytes: Buffer }[] {
    const files = filesBelow([this.data, this.backups, ...this.store.folders]);
    assert.ok(files.length >= MIN_FILES, `${files.length} files`);
    this.node.runtime.log.flush();
    return [...files, { path: 'the log', bytes: Buffer.from(this.logged.join('')) }];
  }

  async backup(name: string): Promise<void> {
    await backupNode(this.node.runtime, join(this.backups, name), () => undefined);
  }

  /** Restores a backup with the keys that the node has now; gives the code of a refusal. */
  async restore(name: string): Promise<{ code?: string | undefined; data: string; vaultUrl?: string }> {
    const data = join(this.folder, `restored-${name}-${performance.now()}`);
    const url = this.store.vaultUrl === undefined ? {} : { vaultUrl: await this.store.another() };
    const keys = join(this.data, 'keys');
    const backup = join(this.backups, name);
    const code = await restoreNode({ backup, target: data, keys, passphrase: PASSPHRASE, ...url }).then(
      () => undefined,
      (error: { code?: string }) => error.code ?? 'no code',
    );
    return { code, data, ...url };
  }
}

async function plant(world: World): Promise<Record<string, string>> {
  const { node } = world;
  await importBundle(node.runtime, bundleOf([...recordsOf('gone', ERASED), ...recordsOf('stays', KEPT)]));
  world.patient = await enrolPatient(node, 'gone', join(world.folder, 'wallet.json'));
  const consent = await grantWithCanary(world);
  await world.signIn();
  const found = await world.get(`/fhir/R4/Patient?name=${ERASED}family`);
  assert.match(await found.text(), new RegExp(`${ERASED}given`), 'the search index knows the canary');
  const read = await world.get(`/fhir/R4/Observation/${ERASED}observation`);
  assert.match(await read.text(), new RegExp(`${ERASED}contained`));
  const record = await (await world.get(`/records/Observation/${ERASED}observation/receipt`)).text();
  const kept = await (await world.get('/records/Condition/gone-condition/receipt')).text();
  await node.runtime.accessAnchor.anchorNow();
  const { accesses } = (await (await world.get('/wallet/accesses')).json()) as {
    accesses: { receipt: string | null }[];
  };
  const access = accesses.at(-1)?.receipt;
  assert.ok(access, 'an access has a receipt');
  return { consent, record, kept, access };
}

async function grantWithCanary(world: World): Promise<string> {
  const { node, patient } = world;
  const client = createNodeClient({ baseUrl: node.url });
  const consent = consentTo(toHex(patient.accountId), 'gone');
  const identified = { ...(consent as Json), identifier: [{ value: `${ERASED}consent` }] };
  const signed = signGrant(identified, patient, await client.signingPlace(patient.accountId));
  world.consentId = toHex(signed.consentId);
  return (await client.submitConsent(signed)).receipt;
}

async function assertWhole(node: RunningNode): Promise<void> {
  const found: unknown[] = [];
  const summary = await auditNode(node.runtime, ({ finding }) => void (finding && found.push(finding)));
  assert.equal(summary.damaged, 0, JSON.stringify(found));
}

/** The keys as they are now do not open the database as it was. */
async function assertOldCopyStaysShut(world: World, copy: string): Promise<void> {
  rmSync(join(copy, 'keys'), { recursive: true });
  cpSync(join(world.data, 'keys'), join(copy, 'keys'), { recursive: true });
  rmSync(join(copy, 'seal.jsonl'));
  await assert.rejects(
    world.startOn(copy).then((node) => node.close()),
    (error: { code?: string }) => error.code === 'erased' || error.code === 'damaged',
  );
}

async function erasureEndToEnd(store: Store): Promise<void> {
  const world = new World(store);
  await world.start();
  try {
    const receipts = await plant(world);
    await world.backup('first');
    assert.deepEqual(traces(world.files()), [], 'nothing is in the clear even before');
    const control = await world.restore('first');
    assert.equal(control.code, undefined, 'the first backup can be restored before the erasure');
    await assertReadable(world, control, `${ERASED}value`);
    const copy = await copyWhileStopped(world);

    const erasedRecord = await eraseAndRecord(`Observation/${ERASED}observation`, world.node.runtime);
    assert.equal((erasedRecord.commitments as string[]).length, 1);
    assert.equal((await world.get(`/fhir/R4/Observation/${ERASED}observation`)).status, 404);
    assert.equal((await world.restore('first')).code, 'erased');
    await world.backup('second');
    assert.deepEqual(traces(world.files()), []);
    await assertWhole(world.node);

    const { sessions } = world.node.runtime;
    const session = sessions.find(world.token) ?? assert.fail();
    const erasedPatient = await eraseDuringBackup(world, 'Patient/gone');
    assert.equal(
      (await world.get('/fhir/R4/Patient/gone')).status,
      401,
      'the session of the patient has ended',
    );
    // What it would have shown.
    world.token = sessions.open(session).token;
    assert.equal((erasedPatient.commitments as string[]).length, 3);
    assert.ok(Number(erasedPatient.height) > Number(erasedRecord.height), 'both are on the ledger');
    await assertGone(world);
    await world.backup('third');
    for (const name of ['first', 'second'])
      assert.equal((await world.restore(name)).code, 'erased', `the ${name} backup`);
    for (const [kind, receipt] of Object.entries(receipts))
      assert.equal(verifyText(receipt).ok, true, `the receipt of ${kind} from before the erasure`);
    assert.deepEqual(traces(world.files()), []);
    await assertWhole(world.node);
    await world.node.close();
    assert.deepEqual(traces(world.files()), []);
    if (copy !== undefined) await assertOldCopyStaysShut(world, copy);
    const last = await world.restore('third');
    assert.equal(last.code, undefined);
    await assertReadable(world, last, `${KEPT}value`);
    await assertNothingOf(world, last);
  } finally {
    await world.node.close().catch(() => undefined);
    rmSync(world.folder, { recursive: true, force: true });
  }
}

/** The vault is in the backup already, its manifest is not. Nobody could open it: it must not pass for one that is done. */
async function eraseDuringBackup(world: World, reference: string): Promise<Json> {
  const { runtime } = world.node;
  const folder = join(world.backups, 'overtaken');
  let erased: Json = {};
  const backup = async (part: string): Promise<void> => {
    await runtime.vault.backup(part);
    erased = await eraseAndRecord(reference, runtime);
  };
  const overtaken = { ...runtime, vault: { ...runtime.vault, backup } };
  await assert.rejects(
    backupNode(overtaken, folder, () => undefined),
    { code: 'conflict' },
  );
  assert.ok(!existsSync(folder));
  return erased;
}

/** Everything on the disk at one moment before the erasure; only where the database is a file of the node. */
async function copyWhileStopped(world: World): Promise<string | undefined> {
  if (world.store.vaultUrl !== undefined) return undefined;
  await world.node.close();
  const copy = join(world.folder, 'copy');
  cpSync(world.data, copy, { recursive: true });
  await world.start();
  await world.signIn();
  return copy;
}

async function assertGone(world: World): Promise<void> {
  const { vault } = world.node.runtime;
  for (const type of ['Patient', 'Condition', 'DocumentReference']) {
    const id = type === 'Patient' ? 'gone' : `gone-${type === 'Condition' ? 'condition' : 'document'}`;
    assert.equal(await vault.read(type, id), undefined, type);
    assert.notEqual((await world.get(`/fhir/R4/${type}/${id}`)).status, 200, type);
  }
  const search = await world.get(`/fhir/R4/Patient?name=${ERASED}family`);
  assert.ok(!(await search.text()).includes(`${ERASED}given`));
  assert.equal(await vault.consents.get(world.consentId, 1), undefined);
}

async function assertReadable(
  world: World,
  { data, vaultUrl }: { data: string; vaultUrl?: string },
  canary: string,
): Promise<void> {
  const node = await world.startOn(data, vaultUrl === undefined ? {} : { vaultUrl });
  try {
    const id = `${canary.replace(/value$/, '')}observation`;
    const record = await node.runtime.vault.read('Observation', id);
    assert.match(new TextDecoder().decode(await record?.open()), new RegExp(canary));
  } finally {
    await node.close();
  }
}

async function assertNothingOf(world: World, { data, vaultUrl }: { data: string; vaultUrl?: string }) {
  const node = await world.startOn(data, vaultUrl === undefined ? {} : { vaultUrl });
  try {
    assert.equal(await node.runtime.vault.read('Patient', 'gone'), undefined);
    assert.equal(await node.runtime.vault.read('Observation', `${ERASED}observation`), undefined);
    await assertWhole(node);
  } finally {
    await node.close();
  }
  if (vaultUrl !== undefined) return;
  const { damaged } = await auditFolder({ path: data, passphrase: PASSPHRASE }, () => undefined);
  assert.equal(damaged, 0);
}

test('the search for canaries finds each form of one', () => {
  for (const { name, bytes } of formsOf(ERASED)) {
    const around = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([4])]);
    assert.ok(
      traces([{ path: 'sample', bytes: around }]).some((found) => found.startsWith(name)),
      name,
    );
  }
  for (const before of ['', 'a', 'ab']) {
    const encoded = Buffer.from(`${before}${ERASED}xyz`).toString('base64');
    assert.ok(traces([{ path: 'sample', bytes: Buffer.from(utf8(encoded)) }]).length > 0, before);
  }
});

test('after an erasure no file holds a canary, no older backup opens, and older receipts verify', async () => {
  const printed = await printedBy(() =>
    erasureEndToEnd({ folders: [], another: () => Promise.reject(new Error('no other database')) }),
  );
  assert.deepEqual(traces([{ path: 'what was printed', bytes: Buffer.from(printed) }]), []);
});

test('the same with the vault in PostgreSQL', { skip: !hasPostgres() }, async () => {
  const postgres = await startPostgres();
  try {
    await erasureEndToEnd({
      vaultUrl: await postgres.createDatabase(),
      folders: [postgres.dataFolder],
      another: () => postgres.createDatabase(),
    });
  } finally {
    await postgres.stop();
  }
});
