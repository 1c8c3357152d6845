import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { configureHome, createHome } from './cometbft-home.ts';
import { cometBftOrReason } from './testing/local-network.ts';

const found = await cometBftOrReason();
const options = 'reason' in found ? { skip: found.reason } : {};
const binary = 'binary' in found ? found.binary : '';

test('members are let in when strangers have taken all places', options, async () => {
  const home = mkdtempSync(join(tmpdir(), 'careledger-home-'));
  try {
    await createHome(binary, home, 'one');
    const [two, three] = ['2'.repeat(40), '3'.repeat(40)] as const;
    configureHome(home, '{}', {
      name: 'one',
      proxyApp: 'kvstore',
      rpcPort: 26657,
      p2pHost: '127.0.0.1',
      p2pPort: 26656,
      peers: [`${two}@node.two.example:26656`, `${three}@[2001:db8::3]:26656`],
      isLocal: false,
    });
    const toml = readFileSync(join(home, 'config', 'config.toml'), 'utf8');
    assert.equal(/^unconditional_peer_ids = (.*)$/m.exec(toml)?.[1], `"${two},${three}"`);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
