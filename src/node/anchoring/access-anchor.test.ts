import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESULT_CODES } from '../../ledger/index.ts';
import type { AccessLog } from '../../vault/index.ts';
import { createAccountSigner, EffectRefusedError } from '../ledger/account-signer.ts';
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

/** An anchor of a log that the ledger knows as longer, until it is told that the end is lost. */
function anchorOfShorterLog(acceptLoss: boolean) {
  const sent: string[] = [];
  const told: string[] = [];
  const custodian = {
    async submit(action: string) {
      sent.push(action);
      const isKnown = sent.includes('restart-access-log');
      if (action === 'anchor-access-log' && !isKnown)
        throw new EffectRefusedError(RESULT_CODES['log-shrank']);
      return { height: sent.length };
    },
  } as unknown as Parameters<typeof startAccessAnchor>[0]['custodian'];
  const marked = async (): Promise<void> => undefined;
  const root = (): Uint8Array => new Uint8Array(32);
  const accessLog = { size: 2, root, anchored: async () => ({ size: 2 }), markAnchored: marked };
  const anchor = startAccessAnchor({
    accessLog: accessLog as unknown as AccessLog,
    custodian,
    everyMs: 1_000_000,
    nowMs: () => 0,
    log: { write: (_level, event) => void told.push(event), flush: () => undefined },
    acceptLoss,
    onOtherLog: () => void told.push('other log'),
  });
  return { anchor, sent, told };
}

test('only an operator’s word makes a node say that the end of its log is lost; without it the node is told to end', async () => {
  const refused = anchorOfShorterLog(false);
  await assert.rejects(refused.anchor.confirm(), { code: 'transaction-refused' });
  assert.deepEqual([refused.sent, refused.told], [['anchor-access-log'], ['other log']]);
  const accepted = anchorOfShorterLog(true);
  await accepted.anchor.anchorNow();
  await accepted.anchor.anchorNow();
  assert.deepEqual(accepted.sent, ['anchor-access-log', 'restart-access-log', 'anchor-access-log']);
  assert.deepEqual(accepted.told, ['access-log-restarted']);
});
