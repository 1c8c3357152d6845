import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { encodeOpenProposal, readValidators } from '../../contracts/index.ts';
import { RESULT_CODES } from '../../ledger/index.ts';
import { toBase64 } from '../../shared/index.ts';
import { sampleSigner, signedAction } from '../sample-chain.ts';
import { cometBftOrReason, type LocalNetwork, startLocalNetwork, until } from './testing/local-network.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-validators-'));
after(() => rmSync(root, { recursive: true, force: true }));
const found = await cometBftOrReason();
const options = 'reason' in found ? { skip: found.reason } : { timeout: 300_000 };
const binary = 'binary' in found ? found.binary : '';

/** Of the chain's validators after its last block, by key in base64: what their votes weigh. */
async function powersOf({ validators: [first] }: LocalNetwork): Promise<Record<string, number>> {
  const response = await fetch(`${first?.rpcUrl}/validators`);
  const { result } = (await response.json()) as {
    result: { validators: { pub_key: { value: string }; voting_power: string }[] };
  };
  return Object.fromEntries(result.validators.map((one) => [one.pub_key.value, Number(one.voting_power)]));
}

describe('validators of CometBFT', options, () => {
  test('change as the members decided: one more, another power, and gone again', async () => {
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line);
    const network = await startLocalNetwork(binary, { folder: root, size: 1, log });
    const { chain, validators } = network;
    const engine = validators[0]?.engine;
    assert(engine !== undefined);
    const added = sampleSigner(1, 'a validator that is not there').publicKey;
    const first = toBase64(chain.genesis.validators[0]?.consensusKey as Uint8Array);
    /** The only member decides alone. */
    const decide = async (power: number): Promise<void> => {
      const validator = { consensusKey: added, organisation: chain.custodian.accountId, power };
      const change = { kind: 'set-validators', validators: [validator] } as const;
      const lastHeight = engine.head().height + 10;
      const payload = encodeOpenProposal({ lastHeight, change });
      const committed = await engine.submit(signedAction(chain, chain.custodian, 'open-proposal', [payload]));
      assert.equal(committed.code, RESULT_CODES.ok);
    };
    const becomes = (powers: Record<string, number>): Promise<void> =>
      until(`the validators ${JSON.stringify(powers)}`, async () => {
        const now = await powersOf(network);
        return JSON.stringify(Object.entries(now).sort()) === JSON.stringify(Object.entries(powers).sort());
      });
    try {
      await becomes({ [first]: 10 });
      await decide(1);
      await becomes({ [first]: 10, [toBase64(added)]: 1 });
      await decide(3);
      await becomes({ [first]: 10, [toBase64(added)]: 3 });
      await decide(0);
      await becomes({ [first]: 10 });
      assert.equal(readValidators(engine.state).length, 1);
      assert.deepEqual(lines, [], 'nothing went wrong on the way');
    } finally {
      await network.close();
    }
  });
});
