import { publicKeyOf } from '../../identity/index.ts';
import {
  cosign,
  formatVerifierKey,
  isKeyName,
  parseNote,
  parseTreeHead,
  type TreeHead,
  type VerifierKey,
} from '../../ledger/index.ts';
import { AppError, EMPTY_TREE_ROOT } from '../../shared/index.ts';
import {
  type AddCheckpointRequest,
  isSignedByLog,
  parseAddCheckpoint,
  type Refusal,
  refusalOf,
} from './add-checkpoint.ts';
import { damaged, openWitnessState, type WitnessState } from './witness-state.ts';

/** A log that the witness watches, and the keys that may sign for it. */
export type WatchedLog = { readonly origin: string; readonly keys: readonly VerifierKey[] };

export type WitnessOptions = {
  readonly stateFile: string;
  /** The witness's own Ed25519 key, used for nothing else (c2sp.org/tlog-cosignature). */
  readonly seed: Uint8Array;
  /** A schema-less URL that names it, such as `witness.example/w1`. */
  readonly name: string;
  readonly logs: readonly WatchedLog[];
  readonly now: () => number;
  /** Two checkpoints that a log signed and that contradict each other: proof against it, worth publishing. */
  readonly onMisbehaviour?: (evidence: { readonly cosigned: string; readonly offered: string }) => void;
};

export type WitnessAnswer = {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly contentType: string;
  readonly body: string;
};

/** A transparency log witness (c2sp.org/tlog-witness). */
export type Witness = {
  /** What clients are configured with. */
  readonly verifierKey: string;
  /** Answers POST /add-checkpoint. What it cosigned is durable before it answers. */
  addCheckpoint(body: string): WitnessAnswer;
  close(): void;
};

const TEXT = 'text/plain; charset=utf-8';
const SIZE = 'text/x.tlog.size';

export function createWitness(options: WitnessOptions): Witness {
  const { seed, name, stateFile } = options;
  if (!isKeyName(name))
    throw new AppError(
      'usage',
      'The name of a witness has neither spaces nor plus signs: use something like witness.example/w1.',
    );
  const logs = new Map(options.logs.map((log) => [log.origin, log]));
  const publicKey = publicKeyOf(seed);
  const state = openWitnessState(stateFile, publicKey);
  return {
    verifierKey: formatVerifierKey({ name, kind: 'witness', publicKey }),
    addCheckpoint(body) {
      const request = parseAddCheckpoint(body);
      if (!request.ok) return refusalAnswer(request.error);
      return answer(request.value, logs.get(request.value.head.origin), state, options);
    },
    close: () => state.close(),
  };
}

/** Runs without a pause from reading the state to writing it, so that no two requests pass it side by side. */
function answer(
  request: AddCheckpointRequest,
  log: WatchedLog | undefined,
  state: WitnessState,
  options: WitnessOptions,
): WitnessAnswer {
  if (log === undefined)
    return refusalAnswer({ status: 404, reason: 'This log is not one that this witness watches.' });
  if (!isSignedByLog(request.signed, log.keys))
    return refusalAnswer({ status: 403, reason: 'The checkpoint is not signed by a known key of this log.' });
  const note = state.latest(log.origin);
  const latest = note === undefined ? { size: 0, root: EMPTY_TREE_ROOT } : latestHead(note, log);
  const refusal = refusalOf(request, latest);
  if (refusal !== undefined) {
    reportMisbehaviour(request, note, latest, options);
    return refusalAnswer(refusal);
  }
  state.store(log.origin, request.note);
  const timeSeconds = Math.floor(options.now() / 1000);
  return { status: 200, contentType: TEXT, body: cosign(request.signed.text, options, timeSeconds) };
}

/** Checked again at every use: a flipped byte in the state must not let a fork through. */
function latestHead(note: string, log: WatchedLog): TreeHead {
  const signed = parseNote(note);
  const head = signed.ok ? parseTreeHead(signed.value.text) : signed;
  if (signed.ok && head.ok && head.value.origin === log.origin && isSignedByLog(signed.value, log.keys))
    return head.value;
  throw damaged(log.origin);
}

function reportMisbehaviour(
  request: AddCheckpointRequest,
  cosigned: string | undefined,
  latest: Pick<TreeHead, 'size' | 'root'>,
  options: WitnessOptions,
): void {
  const isFork = cosigned !== undefined && request.head.size === latest.size && request.note !== cosigned;
  const isSameRoot = request.head.root.every((byte, index) => byte === latest.root[index]);
  if (isFork && !isSameRoot) options.onMisbehaviour?.({ cosigned, offered: request.note });
}

function refusalAnswer(refusal: Refusal): WitnessAnswer {
  if (refusal.status === 409) return { status: 409, contentType: SIZE, body: `${refusal.latestSize}\n` };
  return { status: refusal.status, contentType: TEXT, body: `${refusal.reason}\n` };
}
