import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { AppError } from '../../shared/index.ts';
import { withSettings } from './cometbft-home.ts';
import { COMETBFT_VERSION, findCometBft } from './find-cometbft.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-find-'));
after(() => rmSync(root, { recursive: true, force: true }));
const cacheFolder = join(root, 'cache');

/** A folder with a program of a name that does what the script says. */
function folderWith(folder: string, name: string, script: string): string {
  const path = join(root, folder);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

describe('finding CometBFT', { skip: process.platform === 'win32' ? 'needs a shell' : false }, () => {
  const old = folderWith('old', 'cometbft', 'echo 0.37.0');
  const right = folderWith('right', 'cometbft', `echo v${COMETBFT_VERSION}`);

  test('takes the binary of the right version on the PATH, and no other', async () => {
    const log = (): void => undefined;
    const path = ['/nowhere', old, right].join(delimiter);
    assert.equal(await findCometBft({ log, path, cacheFolder }), join(right, 'cometbft'));
  });

  test('says what to do where it is neither found nor can be built', async () => {
    const lines: string[] = [];
    const finding = findCometBft({ log: (line) => lines.push(line), path: old, cacheFolder });
    await assert.rejects(finding, (error) => {
      assert(error instanceof AppError);
      assert.match(
        error.message,
        /neither on the PATH nor could it be built.*is version 0\.37\.0.*go install/s,
      );
      return true;
    });
    assert.match(lines.join('\n'), /cometbft is version 0\.37\.0; version 0\.38\.25 is needed/);
  });

  test('builds it once into the cache', async () => {
    const script = `[ "$CGO_ENABLED" = 0 ] || exit 1
echo built >> "${root}/builds"
printf '#!/bin/sh\\necho ${COMETBFT_VERSION}\\n' > "$GOBIN/cometbft"
chmod +x "$GOBIN/cometbft"`;
    const path = [folderWith('go', 'go', script), '/bin', '/usr/bin'].join(delimiter);
    const found = await findCometBft({ log: () => undefined, path, cacheFolder });
    assert.equal(found, join(cacheFolder, 'cometbft'));
    assert.equal(await findCometBft({ log: () => undefined, path: '/nowhere', cacheFolder }), found);
  });
});

describe('settings in a file of CometBFT', () => {
  const toml = '# one\nproxy_app = "tcp://a"\n\n[rpc]\n# two\nladdr = "tcp://b"\n[p2p]\nladdr = "tcp://c"\n';

  test('are set in their section, and the rest stays', () => {
    const changed = withSettings(toml, { 'p2p.laddr': '"d"', proxy_app: '"unix:///e"' });
    assert.equal(changed, toml.replace('tcp://a', 'unix:///e').replace('tcp://c', 'd'));
  });

  test('that the file does not have are refused', () => {
    assert.throws(() => withSettings(toml, { 'rpc.nothing': '1' }), /has no rpc\.nothing/);
  });
});
