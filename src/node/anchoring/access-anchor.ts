import { randomBytes } from 'node:crypto';
import { ANCHOR_NONCE_BYTES, encodeAnchorAccessLog } from '../../contracts/index.ts';
import type { AccessLog } from '../../vault/index.ts';
import type { Log } from '../http/log.ts';
import type { AccountSigner } from '../ledger/account-signer.ts';

/** Puts the access log's root on the ledger while there is something new to anchor. */
export interface AccessAnchorTimer {
  anchorNow(): Promise<void>;
  /** Anchors even when there is nothing new: what comes back shows that the ledger here is not older than the question. */
  confirm(): Promise<void>;
  /** Milliseconds that the oldest entry without an anchor has waited; 0 when all are anchored. */
  lagMs(): number;
  stop(): Promise<void>;
}

/** Anchors every `everyMs`; a failure is logged and tried again, because the promise to anchor has a deadline. */
export function startAccessAnchor(options: {
  accessLog: AccessLog;
  custodian: AccountSigner;
  everyMs: number;
  nowMs: () => number;
  log: Log;
}): AccessAnchorTimer {
  const { accessLog, custodian } = options;
  let anchoredSize = 0;
  let behindSinceMs: number | undefined;
  let running: Promise<void> | undefined;

  const anchor = async (evenUnchanged = false): Promise<void> => {
    anchoredSize = Math.max(anchoredSize, (await accessLog.anchored())?.size ?? 0);
    const logSize = accessLog.size;
    if (logSize === anchoredSize && !evenUnchanged) return;
    const logRoot = accessLog.root(logSize);
    const committed = await custodian.submit('anchor-access-log', [
      encodeAnchorAccessLog({ logSize, logRoot, nonce: randomBytes(ANCHOR_NONCE_BYTES) }),
    ]);
    await accessLog.markAnchored({ size: logSize, root: logRoot, height: committed.height });
    anchoredSize = logSize;
    behindSinceMs = undefined;
  };
  const anchorNow = (): Promise<void> => {
    running ??= anchor().finally(() => {
      running = undefined;
    });
    return running;
  };
  const tick = async (): Promise<void> => {
    if (accessLog.size > anchoredSize) behindSinceMs ??= options.nowMs();
    await anchorNow().catch(() => options.log.write('error', 'access-anchor-failed'));
  };
  const timer = setInterval(() => void tick(), options.everyMs).unref();
  return {
    anchorNow,
    async confirm() {
      await running?.catch(() => undefined);
      await anchor(true);
    },
    lagMs: () => (behindSinceMs === undefined ? 0 : options.nowMs() - behindSinceMs),
    async stop() {
      clearInterval(timer);
      await running?.catch(() => undefined);
      await anchorNow();
    },
  };
}
