import { collectCosignatures, type WitnessAddress, type WitnessOutcome } from '../../client/index.ts';
import type { Engine, Head } from '../../engine/index.ts';
import { AppError } from '../../shared/index.ts';
import type { Log } from '../http/log.ts';

/** A quiet ledger is cosigned again this often, so that the time in the cosignatures shows that the head is still the newest. */
const RENEW_AFTER_MS = 60_000;

/** A head with the cosignatures that came for it. */
export interface CosignedHead {
  readonly note: string;
  readonly logSize: number;
  readonly height: number;
  /** Names of the witnesses that signed. */
  readonly witnesses: readonly string[];
  /** When they were asked, by this node's clock. */
  readonly collectedMs: number;
}

/** How witnessing stands, for `GET /` and `/metrics`. */
export interface WitnessStatus {
  configured: number;
  /** Of the newest head that any of them signed. */
  signed: number;
  names: readonly string[];
  height: number | null;
  ageSeconds: number | null;
}

/** Asks witnesses to cosign the ledger's heads, and keeps what they signed. */
export interface Cosigner {
  /** The note with the cosignatures known for it; the note itself when there are none. */
  withCosignatures(note: string): string;
  /** Of the cosigned heads whose history has `size` entries or more, the one with the most witnesses, then the newest. */
  covering(size: number): CosignedHead | undefined;
  status(): WitnessStatus;
  /** Asks now, unless a round is running: then it is that one. */
  round(): Promise<void>;
  stop(): Promise<void>;
}

interface Options {
  engine: Pick<Engine, 'head' | 'consistencyProof'>;
  witnesses: readonly WitnessAddress[];
  everyMs: number;
  nowMs: () => number;
  log: Log;
  onOutcome?: (outcome: WitnessOutcome['outcome']) => void;
}

/** Collects in the background, every `everyMs`: no request waits for a witness, and none that is away holds up another. */
export function startCosigner(options: Options): Cosigner {
  const { engine, witnesses, nowMs } = options;
  // The newest head for each number of witnesses that signed it: a witness that is away must not hide what all signed before.
  const byCount = new Map<number, CosignedHead>();
  let running: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    const head = engine.head();
    if (witnesses.length === 0) return;
    if (!isDue(head, newest(byCount), witnesses.length, nowMs())) return;
    const cosigned = await askWitnesses(head, options);
    if (cosigned !== undefined) byCount.set(cosigned.witnesses.length, cosigned);
  };
  const round = (): Promise<void> => {
    running ??= ask()
      .catch(() => options.log.write('error', 'cosigning-failed'))
      .finally(() => {
        running = undefined;
      });
    return running;
  };
  const timer = witnesses.length === 0 ? undefined : setInterval(() => void round(), options.everyMs).unref();
  return {
    withCosignatures: (note) => [...byCount.values()].find((head) => isOf(head, note))?.note ?? note,
    covering: (size) => best([...byCount.values()].filter((head) => head.logSize >= size)),
    status: () => statusOf(newest(byCount), witnesses.length, nowMs()),
    round,
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

async function askWitnesses(head: Head, options: Options): Promise<CosignedHead | undefined> {
  const consistency = async (from: number, to: number): Promise<Uint8Array[]> => {
    const proof = options.engine.consistencyProof(from, to);
    if (proof !== undefined) return proof;
    throw new AppError('unavailable', 'The ledger has no history of this size.');
  };
  const collectedMs = options.nowMs();
  const { note, outcomes } = await collectCosignatures(head.checkpoint, options.witnesses, consistency);
  for (const { outcome } of outcomes) {
    options.onOutcome?.(outcome);
    // It says that this ledger is not the one it saw: an operator has to know at once.
    if (outcome === 'conflict') options.log.write('error', 'witness-conflict', { height: head.height });
  }
  const signed = outcomes.filter(({ outcome }) => outcome === 'cosigned').map(({ name }) => name);
  if (signed.length === 0) return undefined;
  return { note, logSize: head.logSize, height: head.height, witnesses: signed, collectedMs };
}

function isDue(head: Head, last: CosignedHead | undefined, configured: number, nowMs: number): boolean {
  if (last === undefined || last.height !== head.height || last.witnesses.length < configured) return true;
  return nowMs - last.collectedMs >= RENEW_AFTER_MS;
}

/** Signature lines stand after the note's text, so a cosigned note begins with the note. */
function isOf(head: CosignedHead, note: string): boolean {
  return head.note.startsWith(note);
}

function newest(byCount: ReadonlyMap<number, CosignedHead>): CosignedHead | undefined {
  return [...byCount.values()].sort(
    (left, right) => right.height - left.height || right.collectedMs - left.collectedMs,
  )[0];
}

function best(heads: readonly CosignedHead[]): CosignedHead | undefined {
  return [...heads].sort(
    (left, right) => right.witnesses.length - left.witnesses.length || right.height - left.height,
  )[0];
}

function statusOf(last: CosignedHead | undefined, configured: number, nowMs: number): WitnessStatus {
  return {
    configured,
    signed: last?.witnesses.length ?? 0,
    names: last?.witnesses ?? [],
    height: last?.height ?? null,
    ageSeconds: last === undefined ? null : Math.max(0, Math.round((nowMs - last.collectedMs) / 1000)),
  };
}
