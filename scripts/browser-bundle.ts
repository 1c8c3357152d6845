/**
 * `npm run bundle:browser -- [--out FILE] [--entry MODULE] [--list]`: makes one file for browsers of what checks proofs
 * (src/client/browser.ts). It is a script that defines the global `careledger`, and needs neither server nor network, so a page with
 * it works from a disk. `--list` prints what is in it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { bundle } from './bundle-modules.ts';
import { commandLine } from './command-line.ts';

const root = dirname(import.meta.dirname);
const { values } = commandLine('npm run bundle:browser -- [--out FILE] [--entry MODULE] [--list]', {
  out: { type: 'string', default: join(root, '.build/browser/careledger.js') },
  entry: { type: 'string', default: join(root, 'src/client/browser.ts') },
  list: { type: 'boolean', default: false },
});
const out = resolve(values.out);
const { code, modules } = bundle(resolve(values.entry), 'careledger');
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, code);
console.log(
  values.list
    ? modules.join('\n')
    : `${out}: ${modules.length} modules, ${Math.ceil(code.length / 1024)} KiB.`,
);
