import {
  addCosignatures,
  parseDecimal,
  parseNote,
  parseTreeHead,
  type TreeHead,
  type VerifierKey,
} from '../../ledger/index.ts';
import { AppError, toBase64 } from '../../shared/index.ts';
import type { FetchConsistency } from '../heads/pinned-heads.ts';
import { type ExchangeAnswer, exchange, type Fetch, textOf } from '../http/exchange.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 << 10;
const SIZE_TYPE = 'text/x.tlog.size';

/** A witness to ask: where, and the key it must sign with. */
export type WitnessAddress = { readonly url: string; readonly key: VerifierKey };

/** What became of one request. `conflict`: the witness cosigned something that this log does not continue. */
export type WitnessOutcome = {
  readonly name: string;
  readonly outcome: 'cosigned' | 'refused' | 'conflict' | 'unreachable';
  readonly status?: number;
};

/**
 * Asks each witness to cosign a signed checkpoint (c2sp.org/tlog-witness) and gives the note with every valid cosignature that came.
 * A witness that does not answer is named, and keeps nobody waiting longer than ten seconds.
 */
export async function collectCosignatures(
  note: string,
  witnesses: readonly WitnessAddress[],
  consistency: FetchConsistency,
  fetch: Fetch = globalThis.fetch,
): Promise<{ readonly note: string; readonly outcomes: readonly WitnessOutcome[] }> {
  const head = headOf(note);
  const answers = await Promise.all(
    witnesses.map((witness) => askWitness(witness, note, head, consistency, fetch)),
  );
  let signed = note;
  const outcomes = answers.map(({ witness, lines, ...outcome }): WitnessOutcome => {
    const added = lines === undefined ? undefined : addCosignatures(signed, lines, [witness.key]);
    if (added === undefined) return outcome;
    // An answer without a valid signature of the witness's own key counts for nothing.
    if (!added.ok || added.value === signed) return { ...outcome, outcome: 'refused' };
    signed = added.value;
    return outcome;
  });
  return { note: signed, outcomes };
}

type Asked = WitnessOutcome & { readonly witness: WitnessAddress; readonly lines?: string };

/** First with an old size of zero, which tells the size that the witness has, then with the proof from there. */
async function askWitness(
  witness: WitnessAddress,
  note: string,
  head: TreeHead,
  consistency: FetchConsistency,
  fetch: Fetch,
): Promise<Asked> {
  const named = { witness, name: witness.key.name };
  try {
    const first = await addCheckpoint(witness, 0, [], note, fetch);
    const latestSize = sizeOf(first);
    if (latestSize === undefined) return { ...named, ...outcomeOf(first) };
    if (latestSize > head.size) return { ...named, outcome: 'conflict', status: first.status };
    const proof = latestSize === head.size ? [] : await consistency(latestSize, head.size);
    return { ...named, ...outcomeOf(await addCheckpoint(witness, latestSize, proof, note, fetch)) };
  } catch (error) {
    if (error instanceof AppError) return { ...named, outcome: 'unreachable' };
    throw error;
  }
}

function addCheckpoint(
  { url }: WitnessAddress,
  oldSize: number,
  proof: readonly Uint8Array[],
  note: string,
  fetch: Fetch,
): Promise<ExchangeAnswer> {
  const body = `old ${oldSize}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${note}`;
  return exchange(fetch, `${url.replace(/\/+$/, '')}/add-checkpoint`, {
    method: 'POST',
    body,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_ANSWER_BYTES,
  });
}

function sizeOf(answer: ExchangeAnswer): number | undefined {
  if (answer.status !== 409 || answer.headers.get('content-type') !== SIZE_TYPE) return undefined;
  return parseDecimal(textOf(answer).replace(/\n$/, ''));
}

function outcomeOf(answer: ExchangeAnswer): {
  outcome: WitnessOutcome['outcome'];
  status: number;
  lines?: string;
} {
  const { status } = answer;
  if (status === 200) return { outcome: 'cosigned', status, lines: textOf(answer) };
  return { outcome: status === 409 || status === 422 ? 'conflict' : 'refused', status };
}

function headOf(note: string): TreeHead {
  const parsed = parseNote(note);
  const head = parsed.ok ? parseTreeHead(parsed.value.text) : parsed;
  if (head.ok) return head.value;
  throw new AppError('proof-refused', 'This is not a signed checkpoint, so no witness can cosign it.');
}
