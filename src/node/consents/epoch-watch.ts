import { readConsent } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { AppError, fromUtf8, toHex, utf8 } from '../../shared/index.ts';
import type { Vault } from '../../vault/index.ts';
import { createRetryTimer } from '../concurrency/retry-timer.ts';
import { changesOf } from '../ledger/commit-watch.ts';

/** Under this name the vault keeps the last block whose revocations and replacements all have their new keys. */
const ROTATED_HEIGHT = 'epochs-rotated-height';

interface Deps {
  engine: Pick<Engine, 'state' | 'blocks' | 'head'>;
  vault: Pick<Vault, 'bindings' | 'rotateEpoch' | 'settings'>;
  onFailure: () => void;
}

/** Gives a patient's records new keys whenever terms of one of their consents end, through whichever node that came. */
export interface EpochWatch {
  /** Call while a block is committed, with the consents that it revoked or replaced. */
  committed(height: number, ended: readonly Uint8Array[]): void;
  /** Does what an earlier run could not do any more. Call once, after `committed` gets every new block. */
  bringUp(): Promise<void>;
  /** Resolves when what ended so far has its new keys, or could not be given them: then it is tried again. */
  idle(): Promise<void>;
  /** Throws where a patient's records still have the keys of before a change. */
  requireRotated(patient: Uint8Array): void;
  /** Tries nothing again any more, and waits for what is under way. */
  stop(): Promise<void>;
  /** Stops, and notes how far it came: the next start begins there. */
  settle(): Promise<void>;
}

/** A revocation or replacement ends what grantees elsewhere can open of later versions: a new epoch of the category keys. */
export function createEpochWatch({ engine, vault, onFailure }: Deps): EpochWatch {
  /** Accounts of the patients whose keys are to be replaced. */
  const due = new Set<string>();
  let seenHeight = 0;
  let notedHeight = 0;
  let last: Promise<void> = Promise.resolve();

  const see = (height: number, ended: readonly Uint8Array[]): void => {
    seenHeight = Math.max(seenHeight, height);
    for (const consentId of ended) {
      const patient = readConsent(engine.state, consentId)?.patient;
      if (patient !== undefined) due.add(toHex(patient));
    }
  };
  const rotate = async (account: string): Promise<void> => {
    // A change that comes meanwhile counts anew.
    due.delete(account);
    try {
      const patientId = await vault.bindings.patientEver(account);
      if (patientId !== undefined) await vault.rotateEpoch(patientId);
    } catch (cause) {
      due.add(account);
      throw cause;
    }
  };
  const note = async (height: number): Promise<void> => {
    if (height === notedHeight) return;
    await vault.settings.set(ROTATED_HEIGHT, utf8(String(height)));
    notedHeight = height;
  };
  const rotateDue = async (): Promise<void> => {
    const height = seenHeight;
    const turns: PromiseSettledResult<void>[] = [];
    // One whose keys cannot be replaced holds up no other.
    for (const account of [...due]) turns.push(...(await Promise.allSettled([rotate(account)])));
    const failed = turns.find((turn) => turn.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await note(height);
  };
  const retry = createRetryTimer(() => inTurn());
  const inTurn = (): Promise<void> => {
    const turn = last.then(rotateDue);
    last = turn.catch(() => {
      onFailure();
      retry.due();
    });
    return turn;
  };
  const readMissed = async (): Promise<void> => {
    const head = engine.head().height;
    notedHeight = heightIn(await vault.settings.get(ROTATED_HEIGHT));
    // A vault that was saved after the ledger knows blocks that come otherwise now.
    for await (const { block, results } of engine.blocks(Math.min(notedHeight, head) + 1))
      see(block.height, changesOf(block, results).ended);
    seenHeight = Math.max(seenHeight, head);
  };
  return {
    committed(height, ended) {
      see(height, ended);
      if (ended.length > 0) void inTurn().catch(() => undefined);
    },
    bringUp() {
      const turn = last.then(readMissed);
      last = turn.catch(() => undefined);
      void inTurn().catch(() => undefined);
      return turn.then(() => last);
    },
    idle: () => last,
    requireRotated(patient) {
      if (!due.has(toHex(patient))) return;
      throw new AppError(
        'unavailable',
        'The change is on the ledger: nobody reads by the old terms any more. The new keys for later versions could not be stored yet. It is tried again by itself: do not send it again.',
      );
    },
    async stop() {
      await retry.stop();
      await last;
    },
    async settle() {
      await retry.stop();
      await inTurn().catch(() => undefined);
    },
  };
}

function heightIn(noted: Uint8Array | undefined): number {
  const height = Number(noted === undefined ? 0 : fromUtf8(noted));
  return Number.isSafeInteger(height) ? height : 0;
}
