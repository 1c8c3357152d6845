import { type PublicKey, publicKeyOf, signMessage, verifySignature } from '../../identity/index.ts';
import {
  assert,
  equalBytes,
  err,
  fromBase64,
  fromHex,
  ok,
  type Result,
  toBase64,
  toHex,
  utf8,
} from '../../shared/index.ts';
import { verifyCosignature } from './cosignature.ts';
import { formatNote, type NoteError, type NoteSignature, parseNote, type SignedNote } from './note.ts';
import { formatTreeHead, parseDecimal, parseTreeHead } from './tree-head.ts';
import { noteKeyId, type VerifierKey } from './verifier-key.ts';

/** What a chain's head is, as its operator signs it. */
export type Checkpoint = {
  readonly chainId: Uint8Array;
  readonly height: number;
  readonly timeMs: number;
  readonly logSize: number;
  readonly logRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
};

/** Whose signatures count. `witnesses` are of kind `witness`; `quorum` of them, by different keys, must have signed. */
export type CheckpointTrust = {
  readonly operatorKey: PublicKey;
  readonly witnesses?: readonly VerifierKey[];
  readonly quorum?: number;
};

export type WitnessStatement = { readonly name: string; readonly timeSeconds: number };
export type VerifiedCheckpoint = {
  readonly checkpoint: Checkpoint;
  readonly witnesses: readonly WitnessStatement[];
};

const ORIGIN_PREFIX = 'careledger/';
const HASH_BYTES = 32;

/** The log's name, and the name of the key that signs its checkpoints. */
export function checkpointOrigin(chainId: Uint8Array): string {
  return `${ORIGIN_PREFIX}${toHex(chainId)}`;
}

/** The verifier key of a chain's operator, as a witness is configured with. */
export function operatorVerifierKey(chainId: Uint8Array, operatorKey: PublicKey): VerifierKey {
  return { name: checkpointOrigin(chainId), kind: 'log', publicKey: operatorKey };
}

/** The text that is signed: origin, size, root, then height, time and state as extension lines (docs/protocol.md, "Checkpoints"). */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  assert(
    checkpoint.stateRoot.length === HASH_BYTES && checkpoint.chainId.length === HASH_BYTES,
    'ids and roots have 32 bytes',
  );
  return formatTreeHead({
    origin: checkpointOrigin(checkpoint.chainId),
    size: checkpoint.logSize,
    root: checkpoint.logRoot,
    extensions: [
      `height ${checkpoint.height}`,
      `time ${checkpoint.timeMs}`,
      `state ${toBase64(checkpoint.stateRoot)}`,
    ],
  });
}

/** Reads the text that formatCheckpoint writes, and no other. It says nothing about signatures. */
export function parseCheckpoint(text: string): Result<Checkpoint, NoteError> {
  const head = parseTreeHead(text);
  if (!head.ok) return head;
  const { origin, size, root, extensions } = head.value;
  const [heightLine, timeLine, stateLine] = extensions;
  const chainId = origin.startsWith(ORIGIN_PREFIX) ? fromHex(origin.slice(ORIGIN_PREFIX.length)) : undefined;
  const height = parseDecimal(field(heightLine, 'height '));
  const timeMs = parseDecimal(field(timeLine, 'time '));
  const stateRoot = fromBase64(field(stateLine, 'state '));
  if (chainId?.length !== HASH_BYTES || stateRoot?.length !== HASH_BYTES) return err('checkpoint-malformed');
  if (height === undefined || timeMs === undefined || extensions.length !== 3)
    return err('checkpoint-malformed');
  return ok({ chainId, height, timeMs, logSize: size, logRoot: root, stateRoot });
}

/** The operator's signed note over a checkpoint. */
export function signCheckpoint(checkpoint: Checkpoint, operatorSeed: Uint8Array): string {
  const text = formatCheckpoint(checkpoint);
  const key = operatorVerifierKey(checkpoint.chainId, publicKeyOf(operatorSeed));
  return formatNote({
    text,
    signatures: [{ name: key.name, keyId: noteKeyId(key), signature: signMessage(operatorSeed, utf8(text)) }],
  });
}

/** Checks a signed checkpoint of one chain: the operator's signature, every trusted witness that signed, and the quorum. */
export function verifyCheckpoint(
  note: string,
  chainId: Uint8Array,
  trust: CheckpointTrust,
): Result<VerifiedCheckpoint, NoteError> {
  const opened = openCheckpoint(note, chainId);
  if (!opened.ok) return opened;
  const { checkpoint, text, signatures } = opened.value;
  const operator = verifyLogSignature(text, signatures, operatorVerifierKey(chainId, trust.operatorKey));
  if (!operator.ok) return operator;
  const witnesses = verifyWitnesses(text, signatures, trust);
  return witnesses.ok ? ok({ checkpoint, witnesses: witnesses.value }) : witnesses;
}

/**
 * Reads a checkpoint of a consortium, where no operator's signature counts, and checks the witnesses' only. That its validators
 * decided it is for the caller to verify.
 */
export function verifyWitnessedCheckpoint(
  note: string,
  chainId: Uint8Array,
  trust: Omit<CheckpointTrust, 'operatorKey'>,
): Result<VerifiedCheckpoint, NoteError> {
  const opened = openCheckpoint(note, chainId);
  if (!opened.ok) return opened;
  const { checkpoint, text, signatures } = opened.value;
  const witnesses = verifyWitnesses(text, signatures, trust);
  return witnesses.ok ? ok({ checkpoint, witnesses: witnesses.value }) : witnesses;
}

function openCheckpoint(
  note: string,
  chainId: Uint8Array,
): Result<SignedNote & { readonly checkpoint: Checkpoint }, NoteError> {
  const parsed = parseNote(note);
  if (!parsed.ok) return parsed;
  const checkpoint = parseCheckpoint(parsed.value.text);
  if (!checkpoint.ok) return checkpoint;
  if (!equalBytes(checkpoint.value.chainId, chainId)) return err('wrong-chain');
  if (isRepeated(parsed.value.signatures)) return err('signature-repeated');
  return ok({ ...parsed.value, checkpoint: checkpoint.value });
}

/** Whether a known log key signed the text; a line that claims to be its and is not makes the note invalid. */
export function verifyLogSignature(
  text: string,
  signatures: readonly NoteSignature[],
  key: VerifierKey,
): Result<true, NoteError> {
  const line = findSignature(signatures, key);
  if (line === undefined) return err('operator-signature-missing');
  return verifySignature(key.publicKey, utf8(text), line.signature) ? ok(true) : err('signature-invalid');
}

/** Counted by key and not by line or by name, and the operator is no witness of itself. */
function verifyWitnesses(
  text: string,
  signatures: readonly NoteSignature[],
  trust: Omit<CheckpointTrust, 'operatorKey'> & { readonly operatorKey?: PublicKey },
): Result<WitnessStatement[], NoteError> {
  const statements: WitnessStatement[] = [];
  const counted = new Set(trust.operatorKey === undefined ? [] : [toHex(trust.operatorKey)]);
  for (const key of trust.witnesses ?? []) {
    const line = findSignature(signatures, key);
    if (line === undefined) continue;
    const timeSeconds = verifyCosignature(text, line, key);
    if (timeSeconds === undefined) return err('signature-invalid');
    const identity = toHex(key.publicKey);
    if (!counted.has(identity)) statements.push({ name: key.name, timeSeconds });
    counted.add(identity);
  }
  return statements.length < (trust.quorum ?? 0) ? err('quorum-missing') : ok(statements);
}

function findSignature(signatures: readonly NoteSignature[], key: VerifierKey): NoteSignature | undefined {
  const keyId = noteKeyId(key);
  return signatures.find((line) => line.name === key.name && line.keyId === keyId);
}

function isRepeated(signatures: readonly NoteSignature[]): boolean {
  return new Set(signatures.map(({ name, keyId }) => `${name} ${keyId}`)).size !== signatures.length;
}

function field(line: string | undefined, prefix: string): string {
  return line?.startsWith(prefix) === true ? line.slice(prefix.length) : '';
}
