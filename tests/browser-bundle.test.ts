import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { verifyText } from '../src/client/index.ts';
import { sampleReceipts } from './support/sample-receipts.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'careledger-browser-'));
const FILE = join(folder, 'careledger.js');
const made = bundle('--out', FILE, '--list');
assert.equal(made.status, 0, made.stderr);
const code = readFileSync(FILE, 'utf8');
after(() => rmSync(folder, { recursive: true, force: true }));

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome']
  .flatMap((name) => (process.env['PATH'] ?? '').split(delimiter).map((one) => join(one, name)))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

const { receipts } = sampleReceipts();
const GOOD = receipts.consent;
const BAD = GOOD.replace(/"height \d/, '"height 9').replace('"leaf":"A', '"leaf":"B');
const said = (text: string): string => {
  const { code: verdict, statements } = verifyText(text);
  return JSON.stringify([verdict, statements]);
};

describe('the bundle for browsers', () => {
  test('is made of pure modules only: what compiles without the types of Node, and two libraries', () => {
    const places = new Set(
      made.stdout
        .trim()
        .split('\n')
        .map((path) => /(?:src\/[^/]+|node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(path)?.[0] ?? path),
    );
    assert.deepEqual([...places].sort(), [
      'node_modules/@noble/curves',
      'node_modules/@noble/hashes',
      'src/client',
      'src/contracts',
      'src/identity',
      'src/ledger',
      'src/shared',
    ]);
  });

  test('runs where there is nothing of Node, and says of proofs what Node says', () => {
    // What every browser has beyond the language itself.
    const context = createContext({ TextEncoder, TextDecoder, btoa, atob });
    runInContext(code, context);
    for (const text of [GOOD, BAD]) {
      context['text'] = text;
      const answer: unknown = runInContext(
        'const verdict = careledger.verifyText(text); JSON.stringify([verdict.code, verdict.statements])'.replace(
          'const ',
          'var ',
        ),
        context,
      );
      assert.equal(answer, said(text));
    }
    assert.match(said(GOOD), /^\["verified"/);
    assert.doesNotMatch(said(BAD), /verified/);
  });

  test('runs in Chromium from a file', {
    skip: CHROMIUM === undefined && 'there is no Chromium here',
    timeout: 180_000,
  }, () => {
    const page = join(folder, 'page.html');
    const show = `const verdict = careledger.verifyText(${JSON.stringify(GOOD)});
      document.body.textContent = btoa(unescape(encodeURIComponent(JSON.stringify([verdict.code, verdict.statements]))));`;
    writeFileSync(
      page,
      `<!doctype html><meta charset="utf-8"><body></body><script src="careledger.js"></script><script>${show.replaceAll('</', '<\\/')}</script>`,
    );
    const flags = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      `--user-data-dir=${join(folder, 'profile')}`,
      '--dump-dom',
    ];
    const { stdout, stderr } = spawnSync(CHROMIUM as string, [...flags, pathToFileURL(page).href], {
      encoding: 'utf8',
      timeout: 120_000,
    });
    const shown = /<body>([A-Za-z0-9+/=]+)/.exec(stdout)?.[1];
    assert.ok(shown, `Chromium shows nothing: ${stdout.slice(0, 300)} ${stderr.slice(-500)}`);
    assert.equal(Buffer.from(shown, 'base64').toString('utf8'), said(GOOD));
  });

  test('takes no module of Node', () => {
    const entry = join(folder, 'entry.ts');
    writeFileSync(entry, "import { readFileSync } from 'node:fs';\nexport const read = readFileSync;\n");
    const refused = bundle('--out', join(folder, 'bad.js'), '--entry', entry);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /imports node:fs, which no browser has/);
  });

  test('comes from code that compiles without the types of Node', { timeout: 300_000 }, () => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = spawnSync(
      process.execPath,
      [tsc, '--build', 'src/client/tsconfig.browser.json'],
      { cwd: root, encoding: 'utf8' },
    );
    assert.equal(status, 0, stdout);
  });
});

function bundle(...args: readonly string[]) {
  const script = join(root, 'scripts/browser-bundle.ts');
  return spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...args], {
    encoding: 'utf8',
  });
}
