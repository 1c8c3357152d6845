import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { MANIFEST_FILE, verifyManifest, writeManifest } from './backup-manifest.ts';
import type { Finding } from './finding.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-manifest-'));
after(() => rmSync(root, { recursive: true, force: true }));

async function findingsOf(folder: string): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of verifyManifest(folder)) found.push(finding);
  return found;
}

async function sampleBackup(name: string): Promise<string> {
  const folder = join(root, name);
  mkdirSync(join(folder, 'vault'), { recursive: true });
  writeFileSync(join(folder, 'small'), 'twenty-two bytes here.');
  writeFileSync(join(folder, 'vault', 'large'), Buffer.alloc(150_000, 'large'));
  writeFileSync(join(folder, 'empty'), '');
  await writeManifest(folder, { kind: 'sample', height: 7 });
  return folder;
}

describe('the manifest of a backup', () => {
  test('finds nothing in a backup as it was written', async () => {
    assert.deepEqual(await findingsOf(await sampleBackup('whole')), []);
  });

  test('finds each flipped byte of a small file and of the manifest itself', async () => {
    const folder = await sampleBackup('flipped');
    for (const name of ['small', MANIFEST_FILE]) {
      const path = join(folder, name);
      const bytes = readFileSync(path);
      for (let at = 0; at < bytes.length; at++) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] as number) ^ 0x20;
        writeFileSync(path, flipped);
        assert.deepEqual(
          (await findingsOf(folder)).map((finding) => finding.file),
          [name],
          `byte ${at} of ${name}`,
        );
      }
      writeFileSync(path, bytes);
    }
  });

  test('names the 64 KiB that a flipped byte is in', async () => {
    const folder = await sampleBackup('chunk');
    const path = join(folder, 'vault', 'large');
    const bytes = readFileSync(path);
    bytes[70_000] = 0;
    writeFileSync(path, bytes);
    const [finding, ...others] = await findingsOf(folder);
    assert.deepEqual(others, []);
    assert.equal(finding?.message, 'vault/large differs between byte 65536 and byte 131072.');
  });

  test('names missing, truncated, longer and unlisted files', async () => {
    const folder = await sampleBackup('pieces');
    rmSync(join(folder, 'small'));
    writeFileSync(join(folder, 'empty'), 'x');
    writeFileSync(join(folder, 'vault', 'large'), Buffer.alloc(65_536, 'large'));
    writeFileSync(join(folder, 'stranger'), '');
    const codes = (await findingsOf(folder)).map(({ code, file }) => `${code} ${file}`);
    assert.deepEqual(codes, [
      'file-size empty',
      'file-missing small',
      'file-size vault/large',
      'chunk-damaged vault/large',
      'chunk-damaged vault/large',
      'file-unlisted stranger',
    ]);
  });

  test('says that a folder without a manifest is not a complete backup', async () => {
    const folder = await sampleBackup('partial');
    rmSync(join(folder, MANIFEST_FILE));
    assert.match((await findingsOf(folder))[0]?.message ?? '', /not a complete backup/);
  });
});
