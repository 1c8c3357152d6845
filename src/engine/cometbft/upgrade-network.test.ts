/** What a node of a real network does when the members begin rules that its software does not know. Skipped without CometBFT. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CONTRACTS, encodeOpenProposal, MIN_ACTIVATION_BLOCKS } from '../../contracts/index.ts';
import { publicKeyOf } from '../../identity/index.ts';
import { RESULT_CODES } from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import { verifyLedgerFolder } from '../audit.ts';
import { enrolment, sampleSigner, signedAction } from '../sample-chain.ts';
import { JOINER_PLACE, joinByBlocks } from './testing/joining-node.ts';
import { cometBftOrReason, nodeSeedOf, startLocalNetwork, until } from './testing/local-network.ts';

const PATIENCE_MS = 120_000;
const START = MIN_ACTIVATION_BLOCKS + 1;
const NEWER_SOFTWARE = { ...CONTRACTS, newestVersion: CONTRACTS.newestVersion + 1 };
const folder = mkdtempSync(join(tmpdir(), 'careledger-halt-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const found = await cometBftOrReason();
const options = 'reason' in found ? { skip: found.reason } : { timeout: 400_000 };
const binary = 'binary' in found ? found.binary : '';

const saysWhatToDo = (error: unknown): boolean =>
  error instanceof AppError &&
  error.code === 'upgrade-needed' &&
  error.message.includes(`From block ${START} on`) &&
  error.message.includes('install a version that knows it');

async function findings(ledger: string, headKey: Uint8Array): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const finding of verifyLedgerFolder(ledger, { headKey })) found.push(finding);
  return found;
}

test(
  'older software stops before the first block of the new rules, whole; newer software goes on in its folder',
  options,
  async () => {
    const network = await startLocalNetwork(binary, { folder, size: 1, contracts: NEWER_SOFTWARE });
    const { chain } = network;
    const { engine, rpcUrl } = network.validators[0] as (typeof network.validators)[number];
    const joined = { genesis: chain.genesis, rpcUrls: [rpcUrl] };
    const told: AppError[] = [];
    const log = (): void => undefined;
    const older = { onUpgradeNeeded: (error: AppError) => void told.push(error) };
    let node = await joinByBlocks(binary, joined, folder, log, older);
    try {
      const change = {
        kind: 'activate-version',
        version: NEWER_SOFTWARE.newestVersion,
        height: START,
      } as const;
      const decision = encodeOpenProposal({ lastHeight: 20, change });
      const decided = await engine.submit(signedAction(chain, chain.custodian, 'open-proposal', [decision]));
      assert.equal(decided.code, RESULT_CODES.ok);
      let patients = 0;
      const upTo = async (height: number): Promise<void> => {
        while (engine.head().height < height) {
          patients += 1;
          await engine.submit(enrolment(chain, sampleSigner(1, `patient ${patients}`)));
        }
      };
      await upTo(START + 3);
      await until(
        'the older software to be asked for a block that it cannot run',
        () => told.length > 0,
        PATIENCE_MS,
      );
      assert.ok(told.every(saysWhatToDo), String(told[0]));
      const waiting = enrolment(chain, sampleSigner(1, 'another'));
      await assert.rejects(node.engine.submit(waiting), saysWhatToDo);
      const last = await engine.block(START - 1);
      assert.equal(
        node.engine.head().height,
        START - 1,
        'it recorded nothing by rules that it does not know',
      );
      assert.equal(toHex(node.engine.head().appHash), toHex(last?.head.appHash as Uint8Array));

      await node.close();
      const headKey = publicKeyOf(nodeSeedOf(JOINER_PLACE));
      const nodeLedger = join(folder, 'joiner', 'ledger');
      assert.deepEqual(await findings(nodeLedger, headKey), [], 'its folder is whole');

      const before = told.length;
      node = await joinByBlocks(binary, joined, folder, log, older);
      await until('it to say so again after a restart', () => told.length > before, PATIENCE_MS);
      assert.equal(node.engine.head().height, START - 1);
      await node.close();

      node = await joinByBlocks(binary, joined, folder, log, { contracts: NEWER_SOFTWARE });
      const isLevel = (): boolean => node.engine.head().height === engine.head().height;
      await until('the newer software to go on', isLevel, PATIENCE_MS);
      await engine.submit(waiting);
      await upTo(START + 5);
      await until('it to follow', isLevel, PATIENCE_MS);
      assert.equal(toHex(node.engine.head().appHash), toHex(engine.head().appHash));
      const { block } = (await node.engine.block(START)) ?? {};
      assert.deepEqual(block, (await engine.block(START))?.block);
    } finally {
      await node.close();
      await network.close();
    }
  },
);
