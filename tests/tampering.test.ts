/**
 * Every byte that a node keeps or hands out is flipped, one at a time, and has to be named: of the folder of a stopped node,
 * of a backup, of receipts. A fixed slice of the larger files runs here; `FLIPS=all` runs every byte.
 */
import assert from 'node:assert/strict';
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { verifyText } from '../src/client/receipts/index.ts';
import { verifyLedgerFolder, writeManifest } from '../src/engine/index.ts';
import { publicKeyOf, signMessage } from '../src/identity/index.ts';
import { chainIdOf, decodeGenesis, encodeGenesis } from '../src/ledger/index.ts';
import { inspectBackup } from '../src/node/admin/backup.ts';
import { folderSealFindings } from '../src/node/folder/folder-seal.ts';
import { auditFolder, dataFolder, type NodeFinding, restoreNode, startNode } from '../src/node/index.ts';
import { toHex, utf8 } from '../src/shared/index.ts';
import { verifySeal } from '../src/vault/audit/file-seal.ts';
import { openPassphraseKeys, type PassphraseKeys } from '../src/vault/index.ts';
import { PASSPHRASE } from './node-fixture.ts';
import { type ReferenceNode, referenceNode } from './support/reference-node.ts';

/** In the slice, of a file larger than this only every STRIDE-th byte is flipped, from its first on, and its last. */
const WHOLE_UP_TO_BYTES = 256;
const STRIDE = 61;
const everyByte = process.env.FLIPS === 'all';
/** Every byte takes longer than the runner gives a test, on a busy machine. */
const patience = everyByte ? { timeout: 3_600_000 } : {};

let reference: ReferenceNode;
let keys: PassphraseKeys;

before(async () => {
  reference = await referenceNode();
  const path = dataFolder(reference.data).vaultKeys;
  const random = (length: number): Uint8Array => new Uint8Array(length);
  keys = await openPassphraseKeys({ path, passphrase: PASSPHRASE, random });
});
after(() => reference.remove());

type Named = { readonly where: string };
type Check = (path: string) => Promise<readonly Named[]>;

/** Which check of the audit vouches for a file of a data folder; the audit runs them all. */
function checkOf(name: string): Check {
  if (name === 'ledger/blocks.log') return ledgerFindings;
  const sealed = /^(vault\/(vault\.db|access\.log))(\.seal)?$/.exec(name)?.[1];
  if (sealed !== undefined) return () => verifySeal(join(reference.data, sealed), keys);
  return sealFindings;
}

async function sealFindings(): Promise<Named[]> {
  const genesis = decodeGenesis(readFileSync(join(reference.data, 'genesis.bin')));
  const key = genesis.ok ? genesis.value.operatorKey : undefined;
  const findings = await folderSealFindings(dataFolder(reference.data), key);
  return findings.filter(({ severity }) => severity === 'damage').map(({ file }) => ({ where: file }));
}

async function ledgerFindings(): Promise<Named[]> {
  const genesis = decodeGenesis(readFileSync(join(reference.data, 'genesis.bin')));
  assert(genesis.ok);
  const found: Named[] = [];
  const chainId = chainIdOf(genesis.value);
  for await (const finding of verifyLedgerFolder(join(reference.data, 'ledger'), { chainId }))
    if (finding.severity === 'damage') found.push({ where: `ledger/${finding.file}` });
  return found;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
}

function* placesIn(size: number): Generator<number> {
  const step = everyByte || size <= WHOLE_UP_TO_BYTES ? 1 : STRIDE;
  for (let at = 0; at < size - 1; at += step) yield at;
  if (size > 0) yield size - 1;
}

/** Flips one bit of one byte after the other, each time another bit, and collects what the check did not name. */
async function unnamed(path: string, name: string, check: Check): Promise<number[]> {
  const bytes = readFileSync(path);
  const missed: number[] = [];
  const file = openSync(path, 'r+');
  try {
    for (const at of placesIn(bytes.length)) {
      const original = bytes[at] as number;
      writeSync(file, Uint8Array.of(original ^ (1 << (at % 8))), 0, 1, at);
      const found = await check(path);
      if (!found.some(({ where }) => where.includes(name))) missed.push(at);
      writeSync(file, Uint8Array.of(original), 0, 1, at);
    }
  } finally {
    closeSync(file);
  }
  return missed;
}

describe('a stopped node', () => {
  test('is whole before anything is flipped', async () => {
    assert.deepEqual(await auditFindings(reference.data), []);
    assert.deepEqual((await inspectBackup(reference.backup)).findings, []);
  });

  test('names the file for each flipped byte of each file in its folder', patience, async () => {
    let files = 0;
    for (const name of filesBelow(reference.data)) {
      const path = join(reference.data, name);
      const missed = await unnamed(path, name.replace(/\.seal$/, ''), checkOf(name));
      assert.deepEqual(missed, [], `bytes of ${name} that can be flipped unnoticed`);
      files += 1;
    }
    assert.ok(files >= 13, `${files} files`);
    assert.deepEqual(await auditFindings(reference.data), []);
  });

  test('names it in the audit as a whole, and does not start on it', async () => {
    for (const name of filesBelow(reference.data)) {
      const path = join(reference.data, name);
      const bytes = readFileSync(path);
      if (bytes.length === 0) continue;
      const flipped = Buffer.from(bytes);
      const at = bytes.length >> 1;
      flipped[at] = (bytes[at] as number) ^ 1;
      writeFileSync(path, flipped);
      const found = await auditFindings(reference.data);
      assert.ok(
        found.some(({ where, severity }) => severity === 'damage' && where.includes(name)),
        `${name}: ${JSON.stringify(found)}`,
      );
      // The index is derived from the log, the lock's owner is written anew: a start needs neither.
      if (!['ledger/index.db', 'ledger/lock.owner', 'ledger/head'].includes(name)) await assertRefused(name);
      writeFileSync(path, bytes);
    }
    assert.deepEqual(await auditFindings(reference.data), []);
  });

  test('names a file that is missing, longer, or was slipped in', async () => {
    const copy = join(reference.folder, 'changed');
    const changes: readonly (readonly [string, (path: string) => void])[] = [
      ['genesis.bin', (path) => writeFileSync(path, 'x', { flag: 'a' })],
      ['ledger/lock', (path) => writeFileSync(path, 'x')],
      ['ledger/index.db', (path) => rmSync(path)],
      ['ledger/blocks.log', (path) => rmSync(path)],
      ['vault/access.log', (path) => rmSync(path)],
      ['vault/vault.db', (path) => rmSync(path)],
      ['vault/vault.db-wal', (path) => writeFileSync(path, 'x')],
      ['vault/vault.db-journal', (path) => writeFileSync(path, 'x')],
      ['keys/other', (path) => writeFileSync(path, '')],
    ];
    for (const [name, change] of changes) {
      cpSync(reference.data, copy, { recursive: true });
      change(join(copy, name));
      const found = await auditFindings(copy);
      assert.ok(
        found.some(({ where, what, severity }) => severity === 'damage' && `${where} ${what}`.includes(name)),
        `${name}: ${JSON.stringify(found)}`,
      );
      rmSync(copy, { recursive: true });
    }
  });

  test('has a seal that nobody but its operator can write', async () => {
    const path = join(reference.data, 'seal.jsonl');
    const seal = readFileSync(path, 'utf8');
    const forged = await forgedSeal(seal);
    writeFileSync(path, forged);
    const found = await sealFindings();
    writeFileSync(path, seal);
    assert.deepEqual(found, [{ where: 'seal.jsonl' }]);
  });
});

/** The seal of the folder as it is, with the right digest, but another signature. */
async function forgedSeal(seal: string): Promise<string> {
  const lines = seal.trimEnd().split('\n');
  const last = JSON.parse(lines.at(-1) as string) as { digest: string; signature: string };
  const signature = Buffer.from(last.signature, 'base64');
  signature[3] = (signature[3] as number) ^ 1;
  return `${[...lines.slice(0, -1), JSON.stringify({ ...last, signature: signature.toString('base64') })].join('\n')}\n`;
}

async function auditFindings(path: string): Promise<NodeFinding[]> {
  const found: NodeFinding[] = [];
  await auditFolder({ path, passphrase: PASSPHRASE }, ({ finding }) => {
    if (finding !== undefined) found.push(finding as NodeFinding);
  }).catch((error: Error & { code?: string }) => {
    // Damage that lets nothing be opened is told as an error, which names the file too.
    assert.equal(error.code, 'damaged');
    found.push({ part: 'folder', severity: 'damage', where: error.message, what: error.message });
  });
  return found;
}

async function assertRefused(name: string): Promise<void> {
  const starting = startNode({
    dataPath: reference.data,
    port: 0,
    passphrase: PASSPHRASE,
    logLevel: 'silent',
    withSamples: false,
  });
  const refusal = await starting.then(
    async (node) => node.close().then(() => 'started'),
    (error: { code?: string }) => error.code,
  );
  assert.equal(refusal, 'damaged', `${name}: a damaged node does not serve`);
}

test('a backup names the file for each of its bytes that is flipped', patience, async () => {
  for (const name of filesBelow(reference.backup)) {
    const path = join(reference.backup, name);
    const check = async () => (await inspectBackup(reference.backup)).findings;
    const missed = await unnamed(path, relative(reference.backup, path), check);
    assert.deepEqual(missed, [], `bytes of ${name} that can be flipped unnoticed`);
  }
});

/** The reference backup, rewritten and with a manifest that fits. */
async function rewritten(genesis: Uint8Array, sign?: (message: Uint8Array) => Uint8Array): Promise<string> {
  const copy = `${reference.backup}-rewritten`;
  rmSync(copy, { recursive: true, force: true });
  cpSync(reference.backup, copy, { recursive: true });
  rmSync(join(copy, 'manifest.jsonl'));
  writeFileSync(join(copy, 'genesis.bin'), genesis);
  writeFileSync(join(copy, 'vault', 'vault-rows.sealed'), 'not what was written');
  await writeManifest(copy, { kind: 'node', chainId: '00', height: 1 }, sign === undefined ? {} : { sign });
  return copy;
}

test('a backup rewritten as a whole does not pass for the node’s, and is not restored', async () => {
  const named = await inspectBackup(await rewritten(utf8('x')));
  assert.deepEqual(
    named.findings.map(({ where }) => where),
    ['genesis.bin'],
  );
  const genesis = decodeGenesis(readFileSync(join(reference.backup, 'genesis.bin')));
  assert(genesis.ok);
  const seed = new Uint8Array(32).fill(7);
  const theirs = encodeGenesis({ ...genesis.value, operatorKey: publicKeyOf(seed) });
  const backup = await rewritten(theirs, (message) => signMessage(seed, message));
  const original = await inspectBackup(reference.backup);
  const claimed = await inspectBackup(backup);
  assert.deepEqual(claimed.findings, [], 'all that can be said without knowing whose it should be');
  assert.equal(original.signer, toHex(genesis.value.operatorKey));
  assert.equal(claimed.signer, toHex(publicKeyOf(seed)));
  assert.notEqual(claimed.chainId, original.chainId);
  const target = `${reference.data}-restored`;
  const { keys: keysFolder } = dataFolder(reference.data);
  await assert.rejects(restoreNode({ backup, target, keys: keysFolder, passphrase: PASSPHRASE }), {
    code: 'damaged',
    message: /not signed by the key/,
  });
  assert.ok(!existsSync(target));
});

test('a receipt is refused whichever of its bytes is flipped', () => {
  for (const [kind, receipt] of Object.entries(reference.receipts)) {
    assert.equal(verifyText(receipt).ok, true, kind);
    const bytes = Buffer.from(receipt);
    const accepted: number[] = [];
    for (const at of placesIn(bytes.length)) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (bytes[at] as number) ^ (1 << (at % 8));
      if (isAccepted(flipped)) accepted.push(at);
    }
    assert.deepEqual(accepted, [], `${kind}: bytes that can be flipped`);
  }
});

function isAccepted(bytes: Buffer): boolean {
  try {
    return verifyText(bytes.toString('utf8')).ok;
  } catch {
    return false;
  }
}
