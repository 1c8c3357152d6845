import {
  type NoteError,
  parseDecimal,
  parseNote,
  parseTreeHead,
  type SignedNote,
  type TreeHead,
  type VerifierKey,
  verifyLogSignature,
} from '../../ledger/index.ts';
import { equalBytes, err, fromBase64, ok, type Result, verifyConsistency } from '../../shared/index.ts';

/** c2sp.org/tlog-witness: "The client MUST NOT send more than 63 consistency proof lines." */
const MAX_PROOF_LINES = 63;
const HASH_BYTES = 32;
const OLD_PREFIX = 'old ';

/** The statuses of c2sp.org/tlog-witness, "add-checkpoint". */
export type Refusal =
  | { readonly status: 400 | 403 | 404 | 422; readonly reason: string }
  | { readonly status: 409; readonly latestSize: number; readonly reason: string };

export type AddCheckpointRequest = {
  readonly oldSize: number;
  readonly proof: readonly Uint8Array[];
  readonly note: string;
  readonly signed: SignedNote;
  readonly head: TreeHead;
};

/** Takes the body apart: the old size, the proof, an empty line, and the checkpoint. */
export function parseAddCheckpoint(body: string): Result<AddCheckpointRequest, Refusal> {
  const end = body.indexOf('\n\n');
  if (end < 0) return err(badRequest('The body needs an empty line between the proof and the checkpoint.'));
  const [oldLine, ...proofLines] = body.slice(0, end).split('\n');
  const oldSize =
    oldLine?.startsWith(OLD_PREFIX) === true ? parseDecimal(oldLine.slice(OLD_PREFIX.length)) : undefined;
  if (oldSize === undefined) return err(badRequest('The first line must be "old" and a size.'));
  if (proofLines.length > MAX_PROOF_LINES)
    return err(badRequest(`A consistency proof has at most ${MAX_PROOF_LINES} lines.`));
  const proof = proofLines.map(fromBase64);
  if (!proof.every((hash) => hash?.length === HASH_BYTES))
    return err(badRequest('Each line of the proof must be a hash in base64.'));
  const note = body.slice(end + 2);
  const signed = parseNote(note);
  const head = signed.ok ? parseTreeHead(signed.value.text) : signed;
  if (!signed.ok || !head.ok)
    return err(badRequest(`The checkpoint is malformed (${(head as { error: NoteError }).error}).`));
  return ok({ oldSize, proof: proof as Uint8Array[], note, signed: signed.value, head: head.value });
}

/** Whether a known key of the log signed; a line that claims to be of one and is not spoils the note (c2sp.org/signed-note). */
export function isSignedByLog({ text, signatures }: SignedNote, keys: readonly VerifierKey[]): boolean {
  const outcomes = keys.map((key) => verifyLogSignature(text, signatures, key));
  return (
    outcomes.some((outcome) => outcome.ok) &&
    !outcomes.some((outcome) => !outcome.ok && outcome.error === 'signature-invalid')
  );
}

/** Whether the checkpoint continues `latest`, the newest that was cosigned; undefined when it does. */
export function refusalOf(
  request: AddCheckpointRequest,
  latest: Pick<TreeHead, 'size' | 'root'>,
): Refusal | undefined {
  const { oldSize, head, proof } = request;
  if (oldSize > head.size) return badRequest('The old size is larger than the size of the checkpoint.');
  if (oldSize !== latest.size)
    return {
      status: 409,
      latestSize: latest.size,
      reason: 'The old size is not that of the newest checkpoint that was cosigned.',
    };
  // A log of the same size with another root is a fork, which no proof excuses.
  if (head.size === latest.size && !equalBytes(head.root, latest.root))
    return { status: 409, latestSize: latest.size, reason: 'The log has two roots for one size.' };
  if (verifyConsistency(oldSize, head.size, proof, latest.root, head.root)) return undefined;
  return { status: 422, reason: 'The consistency proof does not verify.' };
}

function badRequest(reason: string): Refusal {
  return { status: 400, reason };
}
