import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessLog } from '../../vault/index.ts';
import { createAccountSigner } from '../ledger/account-signer.ts';
import { startAccessAnchor } from './access-anchor.ts';

/** What a node hands over that asks before it knows of any block: the same head, number and log in each life of it. */
async function questionOfOneLife(): Promise<Uint8Array> {
  const handedOver = Promise.withResolvers<Uint8Array>();
  const engine = {
    state: { get: () => undefined },
    head: () => ({ height: 3 }),
    submit(bytes: Uint8Array) {
      handedOver.resolve(bytes);
      return new Promise(() => undefined);
    },
  } as unknown as Parameters<typeof createAccountSigner>[0]['engine'];
  const seed = new Uint8Array(32).fill(7);
  const custodian = createAccountSigner({ engine, chainId: new Uint8Array(32), seed });
  const accessLog = { size: 2, root: () => new Uint8Array(32), anchored: async () => undefined };
  const anchor = startAccessAnchor({
    accessLog: accessLog as unknown as AccessLog,
    custodian,
    everyMs: 1_000_000,
    nowMs: () => 0,
    log: { write: () => undefined, flush: () => undefined },
    onOtherLog: () => assert.fail('no other log'),
  });
  void anchor.confirm();
  return handedOver.promise;
}

test('a question from before a restart is not taken for the answer to one after it: no two are the same bytes', async () => {
  const [one, other] = [await questionOfOneLife(), await questionOfOneLife()];
  assert.equal(one.length, other.length);
  assert.notDeepEqual(one, other);
});
