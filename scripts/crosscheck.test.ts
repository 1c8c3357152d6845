import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openEmbeddedEngine } from '../src/engine/index.ts';
import { enrolment, sampleChain, sampleSigner } from '../src/engine/sample-chain.ts';
import { buildProgram, findGo } from './crosscheck/go-program.ts';
import { changedCases, foreignFindings, merkleCases, ownFindings } from './crosscheck/merkle-check.ts';

const LEAVES = 70;
const folder = mkdtempSync(join(tmpdir(), 'careledger-crosscheck-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const go = await findGo();
const options =
  go === undefined ? { skip: 'there is no Go to build the foreign verifier with' } : { timeout: 600_000 };

test(
  "the history's proofs are right for transparency-dev/merkle too, and wrong ones wrong",
  options,
  async (context) => {
    const program = await buildProgram(go as string, 'merkle', folder).catch((cause: unknown) => {
      context.skip(
        `the foreign verifier could not be built, as without a network: ${String(cause).slice(0, 300)}`,
      );
      return undefined;
    });
    if (program === undefined) return;
    const chain = sampleChain();
    const { genesis, operatorSeed } = chain;
    const engine = await openEmbeddedEngine({
      folder: join(folder, 'ledger'),
      genesis,
      operatorSeed,
      now: () => genesis.timeMs + 1000,
      verifyWorkers: 0,
    });
    try {
      for (let index = 0; index < LEAVES; index += 1)
        await engine.submit(enrolment(chain, sampleSigner(1, `patient ${index}`)));
      const cases = await merkleCases(engine);
      assert.equal(cases.leaves.length, LEAVES);
      assert.ok(cases.inclusion.length > 100 && cases.consistency.length > 100);
      for (const findings of [ownFindings(cases), await foreignFindings(program, cases)])
        for (const said of Object.values(findings)) assert.ok(said.length > 0 && said.every(Boolean));
      const changed = changedCases(cases);
      for (const findings of [ownFindings(changed), await foreignFindings(program, changed)]) {
        assert.equal(findings.inclusion.length, changed.inclusion.length);
        assert.ok(findings.inclusion.every((accepted) => !accepted));
        assert.ok(findings.consistency.every((accepted) => !accepted));
      }
    } finally {
      await engine.close();
    }
  },
);
