import { randomBytes } from 'node:crypto';
import { ANCHOR_NONCE_BYTES, encodeAnchorAccessLog } from '../../contracts/index.ts';
import type { AccessAnchor, AccessLog } from '../../vault/index.ts';
import type { Log } from '../http/log.ts';
import { type AccountSigner, EffectRefusedError } from '../ledger/account-signer.ts';

/** Puts the access log's root on the ledger while there is something new to anchor. */
export interface AccessAnchorTimer {
  anchorNow(): Promise<void>;
  /** Anchors even when there is nothing new: what comes back shows that the ledger here is not older than the question. */
  confirm(): Promise<void>;
  /** Milliseconds that the oldest entry without an anchor has waited; 0 when all are anchored. */
  lagMs(): number;
  /** Begins nothing by itself any more, and waits for what is under way. */
  pause(): Promise<void>;
  /** Pauses for good, and anchors what is left. */
  stop(): Promise<void>;
}

/** Anchors every `everyMs`; a failure is logged and tried again, because the promise to anchor has a deadline. */
export function startAccessAnchor(options: {
  accessLog: AccessLog;
  custodian: AccountSigner;
  everyMs: number;
  nowMs: () => number;
  log: Log;
  /** Whether the operator said at this start that the end of the log is lost: then the ledger is told so, once. */
  acceptLoss?: boolean;
  /** The ledger has the root of a longer log than this one, or of another, and nobody said that its end is lost. */
  onOtherLog: () => void;
}): AccessAnchorTimer {
  const { accessLog, custodian, acceptLoss = false } = options;
  let anchoredSize = 0;
  /** With a loss to declare, the ledger is asked for its anchor even when nothing is new. */
  let isAgreed = !acceptLoss;
  let restarting: Promise<AccessAnchor> | undefined;
  let behindSinceMs: number | undefined;
  let running: Promise<void> | undefined;

  const record = async (action: 'anchor-access-log' | 'restart-access-log'): Promise<AccessAnchor> => {
    const size = accessLog.size;
    const root = accessLog.root(size);
    const nonce = randomBytes(ANCHOR_NONCE_BYTES);
    const payload = encodeAnchorAccessLog({ logSize: size, logRoot: root, nonce });
    return { size, root, height: (await custodian.submit(action, [payload])).height };
  };
  /** That a block was asked tells more than this node's own copy of the ledger, which may be an old one. */
  const recordOther = async (refused: unknown): Promise<AccessAnchor> => {
    if (!isOfOtherLog(refused)) throw refused;
    if (!acceptLoss) {
      options.onOtherLog();
      throw refused;
    }
    restarting ??= record('restart-access-log').then((restarted) => {
      options.log.write('error', 'access-log-restarted', {
        entries: restarted.size,
        height: restarted.height,
      });
      return restarted;
    });
    await restarting.catch((cause: unknown) => {
      restarting = undefined;
      throw cause;
    });
    return record('anchor-access-log');
  };
  const anchor = async (evenUnchanged = false): Promise<void> => {
    anchoredSize = Math.max(anchoredSize, (await accessLog.anchored())?.size ?? 0);
    if (accessLog.size === anchoredSize && !evenUnchanged && isAgreed) return;
    const anchored = await record('anchor-access-log').catch(recordOther);
    await accessLog.markAnchored(anchored);
    isAgreed = true;
    anchoredSize = anchored.size;
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
  const pause = async (): Promise<void> => {
    clearInterval(timer);
    await running?.catch(() => undefined);
  };
  return {
    anchorNow,
    async confirm() {
      await running?.catch(() => undefined);
      await anchor(true);
    },
    lagMs: () => (behindSinceMs === undefined ? 0 : options.nowMs() - behindSinceMs),
    pause,
    async stop() {
      await pause();
      await anchorNow();
    },
  };
}

function isOfOtherLog(refused: unknown): boolean {
  if (!(refused instanceof EffectRefusedError)) return false;
  return refused.resultName === 'log-shrank' || refused.resultName === 'log-root-conflict';
}
