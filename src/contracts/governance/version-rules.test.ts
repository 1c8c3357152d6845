import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ActionContext, executeBlock, RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { AppError, ok } from '../../shared/index.ts';
import { CONTRACTS } from '../contract-table.ts';
import { TestChain } from '../testing/test-chain.ts';
import { encodeOpenProposal } from './proposal.ts';

const START = 200;

/** Software that knows version 2, in which an action is new that tells what it was given. */
function newerSoftware(seen: ActionContext[]) {
  const added = sealAction<Uint8Array>({
    contract: 6,
    action: 200,
    name: 'added-by-version-2',
    sinceVersion: 2,
    decode: (parts) => ok(parts[0] as Uint8Array),
    check: (_state, context) => {
      seen.push(context);
      return RESULT_CODES.ok;
    },
    apply: () => undefined,
  });
  const find = (contract: number, action: number) =>
    contract === added.contract && action === added.action ? added : CONTRACTS.find(contract, action);
  return { ...CONTRACTS, newestVersion: 2, find };
}

test('an action of a later version is unknown before that version begins, also to software that has it', () => {
  const chain = new TestChain();
  const change = { kind: 'activate-version', version: 2, height: START } as const;
  assert.equal(
    chain.run(chain.hospital, 'open-proposal', encodeOpenProposal({ lastHeight: 9, change })),
    'ok',
  );
  const seen: ActionContext[] = [];
  const bytes = chain.sign(chain.hospital, 'open-proposal', new Uint8Array(1));
  const contracts = newerSoftware(seen);
  const asAdded = chain.signAction(chain.hospital, { contract: 6, action: 200 }, [new Uint8Array(1)], {
    lastValidHeight: START + 5,
  });
  const at = (height: number, transaction: Uint8Array, table = contracts) =>
    executeBlock({
      ...chain.rules(),
      contracts: table,
      state: chain.state,
      height,
      timeMs: 5_000,
      transactions: [transaction],
    }).results[0]?.code;
  assert.equal(at(START - 1, asAdded), RESULT_CODES['unknown-action']);
  assert.equal(at(START, asAdded), RESULT_CODES.ok);
  assert.deepEqual(
    seen.map(({ version, height }) => [version, height]),
    [[2, START]],
  );
  assert.throws(
    () => at(START, bytes, { ...CONTRACTS }),
    (error) => error instanceof AppError && error.code === 'upgrade-needed',
  );
});
