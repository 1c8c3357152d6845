// Installs what `npm start` and `npm test` need, when it is not there yet. Plain JavaScript: it runs on the
// machine's own Node, which may be too old for the rest.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.careledger-setup');
const lockHash = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

function installed() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash;
}

function install() {
  console.log('Installing the packages that CareLedger needs (once; about a minute)…');
  // `--ignore-scripts`: no package runs code of its own while it is installed.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  if (done.status !== 0) {
    console.error(
      '\n`npm ci` failed. CareLedger needs the npm registry once; check the connection and run it again.',
    );
    process.exit(done.status ?? 1);
  }
  writeFileSync(stamp, lockHash);
}

/** The Node that npm scripts will find first: the pinned one from npm where there is one, else the machine's own. */
function nodeVersion() {
  const found = spawnSync('node', ['--version'], { encoding: 'utf8', shell: process.platform === 'win32' });
  return (found.stdout ?? '').trim();
}

if (!installed()) install();
const [major = 0, minor = 0] = nodeVersion().replace('v', '').split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `CareLedger needs Node 22.18 or newer and found ${nodeVersion() || 'none'}. Install Node 24 and run it again.`,
  );
  process.exit(1);
}
