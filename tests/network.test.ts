/**
 * Four organisations on one machine, each with its own CometBFT, node, vault and keys: what is granted through one is enforced at
 * another, goes on without any one of them, and stops cleanly. Needs CometBFT, or Go to build it; skipped where neither is.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fromHex } from '../src/shared/index.ts';
import { PASSPHRASE } from './node-fixture.ts';
import { skipWithoutCometBft as skip } from './support/cometbft-here.ts';
import { type Run, runHere, startCli } from './support/run-cli.ts';

const LIMIT_MS = 240_000;
const root = mkdtempSync(join(tmpdir(), 'cl-net-'));
const at = (name: string): string => join(root, name);
const ENV = { CARELEDGER_HOME: at('home'), CARELEDGER_PASSPHRASE: PASSPHRASE };
after(() => rmSync(root, { recursive: true, force: true }));

interface Door {
  organisation: string;
  url: string;
  data: string;
}

async function careledger(...words: readonly string[]): Promise<Run> {
  return runHere(words, ENV);
}

async function done(...words: readonly string[]): Promise<string> {
  const run = await careledger(...words);
  assert.equal(run.status, 0, `${words.join(' ')}: ${run.stderr}`);
  return run.stdout;
}

describe('four organisations on one machine', { skip, timeout: LIMIT_MS }, () => {
  let network: Awaited<ReturnType<typeof startCli>>;
  let doors: Door[];
  let clinician: string;
  const start = async (): Promise<void> => {
    network = await startCli(['network', '--folder', at('n'), '--port', '0'], ENV);
    doors = network.facts.organisations as Door[];
  };
  const readAtFirst = (): Promise<Run> =>
    careledger('read', 'Observation/ana-hba1c', '--node', door(0).url, '--as', clinician);
  const door = (place: number): Door => doors[place] as Door;
  before(async () => {
    await start();
    clinician = join(door(1).data, 'demo', 'clinician.key.json');
  });
  after(() => network.stop());

  test('a grant submitted to one is enforced at another, and proven by the validators offline', async () => {
    assert.equal(doors.length, 4);
    assert.equal((await readAtFirst()).status, 4);
    const [code, wallet, receipt] = [at('ana.code'), at('ana.json'), at('grant.json')];
    await done('keys', 'enrol-code', 'Patient/ana', '--data', door(0).data, '--out', code);
    await done('wallet', 'create', '--wallet', wallet);
    await done('wallet', 'enrol', '--wallet', wallet, '--code-file', code, '--node', door(0).url);
    const places = ['--node', door(0).url, '--via', door(1).url, '--wallet', wallet];
    await done(
      'consent',
      'grant',
      '--to',
      clinician,
      '--type',
      'Observation',
      ...places,
      '--receipt',
      receipt,
    );
    await hasWhatIsAt(door(0).url, door(1).url);
    assert.match((await readAtFirst()).stdout, /valueQuantity/);
    const log = await done('log', '--wallet', wallet, '--node', door(0).url);
    assert.match(
      log,
      new RegExp(`read +[0-9a-f]{12} +${door(1).organisation} +TREAT +Observation/ana-hba1c`),
    );
    assert.match(await done('verify', receipt), /grant-consent[\s\S]*validator/);
    const tampered = JSON.parse(readFileSync(receipt, 'utf8')) as Record<string, unknown>;
    writeFileSync(at('other.json'), JSON.stringify({ ...tampered, genesis: 'AAAA' }));
    assert.notEqual((await careledger('verify', at('other.json'))).status, 0);
  });

  test('a revocation goes through a third, so that no custodian can hold it back', async () => {
    await done('consent', 'revoke', '--all', '--wallet', at('ana.json'), '--via', door(2).url);
    await hasWhatIsAt(door(0).url, door(2).url);
    assert.equal((await readAtFirst()).status, 4);
  });

  test('all four have one ledger, also after they stopped and started', async () => {
    await network.stop();
    await start();
    const heads = await Promise.all(doors.map(({ url }) => describeNode(url)));
    assert.equal(new Set(heads.map(({ chainId }) => chainId)).size, 1);
    assert.equal((await readAtFirst()).status, 4);
    const roots = await Promise.all(doors.map(({ url }) => rootOfBlock(url, 3)));
    assert.equal(new Set(roots).size, 1);
  });
});

/** Each node learns of a block by itself; what one acknowledged, another has a moment later. */
async function hasWhatIsAt(url: string, other: string): Promise<void> {
  const { height } = await describeNode(other);
  while ((await describeNode(url)).height < height) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function describeNode(url: string): Promise<{ chainId: string; engine: string; height: number }> {
  const answer = await fetch(url, { headers: { accept: 'application/json' } });
  return (await answer.json()) as { chainId: string; engine: string; height: number };
}

/** Height, size and root as the node's note of that block has them, without the node's own signature. */
async function rootOfBlock(url: string, height: number): Promise<string> {
  const { checkpoint } = (await (await fetch(`${url}/ledger/blocks/${height}`)).json()) as {
    checkpoint: string;
  };
  return checkpoint.split('\n\n')[0] as string;
}

describe('the ceremony on hosts of their own', { skip, timeout: LIMIT_MS }, () => {
  test('cards go out, one file comes back, and no private key is in either', async () => {
    const cards: string[] = [];
    for (const [place, name] of ['North', 'South', 'East', 'West'].entries()) {
      const address = `${name.toLowerCase()}.example:26656`;
      const said = await done(
        'network',
        'init',
        '--data',
        at(name),
        '--name',
        name,
        '--address',
        address,
        '--json',
      );
      cards.push((JSON.parse(said) as { card: string }).card);
      const key = JSON.parse(
        readFileSync(join(at(name), 'consensus/config/priv_validator_key.json'), 'utf8'),
      );
      const secret = Buffer.from(key.priv_key.value, 'base64').subarray(0, 32).toString('hex');
      const card = readFileSync(cards[place] as string, 'utf8');
      assert.ok(!card.includes(secret) && !card.includes(key.priv_key.value), name);
    }
    const time = ['--name', 'Valley', '--time', '2027-01-01T00:00:00Z', '--json'];
    const one = JSON.parse(await done('network', 'genesis', ...cards, ...time, '--out', at('one.json')));
    const two = JSON.parse(
      await done('network', 'genesis', ...cards.reverse(), ...time, '--out', at('two.json')),
    );
    assert.equal(one.fingerprint, two.fingerprint, 'whoever has the same cards has the same network');
    assert.equal(fromHex(one.fingerprint)?.length, 32);
    assert.notEqual(
      (await careledger('network', 'genesis', ...cards, ...time, '--out', at('one.json'))).status,
      0,
    );
    for (const name of ['North', 'South'])
      assert.match(
        await done('network', 'join', at('one.json'), '--data', at(name)),
        new RegExp(one.fingerprint),
      );
    const files = ['North', 'South'].map((name) => join(at(name), 'consensus/config/genesis.json'));
    const [north, south] = files.map((file) => readFileSync(file, 'utf8'));
    assert.equal(north, south);
  });

  test('blocks that proofs of misbehaviour need cannot be pruned away', async () => {
    const few = await careledger(
      'network',
      'start',
      '--data',
      at('South'),
      '--port',
      '0',
      '--retain-blocks',
      '999999',
    );
    assert.match(few.stderr, /1000000 blocks/);
    assert.equal(few.status, 2);
  });

  test('a card that was changed on the way, a card twice, and a folder that is not in the file are refused', async () => {
    const card = readFileSync(join(at('North'), 'network-card.json'), 'utf8');
    writeFileSync(at('changed.json'), card.replace('north.example', 'wrong.example'));
    const time = ['--name', 'Valley', '--time', '2027-01-01T00:00:00Z', '--out', at('three.json')];
    const changed = await careledger('network', 'genesis', at('changed.json'), ...time);
    assert.match(changed.stderr, /changed on the way/);
    writeFileSync(at('again.json'), card);
    const twice = await careledger(
      'network',
      'genesis',
      at('changed.json').replace('changed', 'again'),
      at('again.json'),
      ...time,
    );
    assert.match(twice.stderr, /same/);
    await done(
      'network',
      'init',
      '--data',
      at('Other'),
      '--name',
      'Other',
      '--address',
      'other.example:26656',
    );
    const foreign = await careledger('network', 'join', at('one.json'), '--data', at('Other'));
    assert.match(foreign.stderr, /not in the network file/);
    assert.equal(foreign.status, 2);
  });
});
