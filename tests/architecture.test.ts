import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const MAX_FILE_LINES = 400;

/** The part, and the parts it must not be able to see. */
const FORBIDDEN: Record<string, string[]> = {
  shared: ['identity', 'ledger', 'vault'],
  identity: ['ledger', 'vault'],
  ledger: ['contracts', 'engine', 'vault'],
  contracts: ['engine', 'vault', 'client', 'fhir'],
  vault: ['ledger', 'contracts', 'fhir', 'node'],
  client: ['fhir', 'engine', 'node'],
  fhir: ['engine', 'node', 'cli'],
  engine: ['vault', 'client', 'fhir', 'node'],
  node: ['cli'],
  cli: ['engine', 'vault', 'fhir'],
};

test('an import against the direction of the parts does not compile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-architecture-'));
  try {
    cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true });
    cpSync(join(root, 'tsconfig.base.json'), join(folder, 'tsconfig.base.json'));
    cpSync(join(root, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    assert.equal(compile(folder, 'ledger').status, 0, 'the unchanged copy compiles');
    writeFileSync(
      join(folder, 'src/ledger/against.ts'),
      "import * as part from '../contracts/index.ts';\nexport const against = part;\n",
    );
    const refused = compile(folder, 'ledger');
    assert.notEqual(refused.status, 0);
    assert.match(refused.stdout, /against\.ts|TS6307|TS6059/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('no part lists a part in its references that the design forbids', () => {
  for (const [part, forbidden] of Object.entries(FORBIDDEN)) {
    const seen = referencesOf(part);
    for (const name of forbidden) assert.ok(!seen.includes(name), `${part} must not see ${name}`);
  }
});

test('each part lists the parts that it imports, and no other', () => {
  const imported = new Map<string, Set<string>>();
  for (const { file, text } of sources({ withTests: true }))
    for (const part of partsImported(file, text)) {
      const own = file.split('/')[1] ?? '';
      if (part !== own) imported.set(own, new Set([...(imported.get(own) ?? []), part]));
    }
  for (const part of Object.keys(FORBIDDEN))
    assert.deepEqual(new Set(referencesOf(part)), imported.get(part) ?? new Set(), part);
});

test('parts import one another only through their index', () => {
  for (const { file, text } of sources()) {
    for (const [, imported = ''] of text.matchAll(/from '(\.[^']+)'/g)) {
      const [, part, ...rest] = posix.join(posix.dirname(file), imported).split('/');
      if (part !== file.split('/')[1]) assert.deepEqual(rest, ['index.ts'], `${file} reaches into ${part}`);
    }
  }
});

test('no source file is longer than its limit', () => {
  const long = sources().filter(({ text }) => text.split('\n').length > MAX_FILE_LINES);
  assert.deepEqual(
    long.map(({ file }) => file),
    [],
  );
});

function compile(folder: string, part: string) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  return spawnSync(process.execPath, [tsc, '--build', `src/${part}`], { cwd: folder, encoding: 'utf8' });
}

function referencesOf(part: string): string[] {
  const config = JSON.parse(readFileSync(join(root, 'src', part, 'tsconfig.json'), 'utf8')) as {
    references?: { path: string }[];
  };
  return (config.references ?? []).map((reference) => reference.path.replace('../', ''));
}

/** The parts that a file's relative imports lead to. */
function partsImported(file: string, text: string): string[] {
  return [...text.matchAll(/from '(\.[^']+)'/g)]
    .map(([, imported = '']) => posix.join(posix.dirname(file), imported).split('/'))
    .flatMap(([top, part]) => (top === 'src' && part !== undefined ? [part] : []));
}

function sources({ withTests = false } = {}): { file: string; text: string }[] {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts') && (withTests || !file.endsWith('.test.ts')))
    .map((file) => ({ file: `src/${file}`, text: readFileSync(join(root, 'src', file), 'utf8') }));
}
