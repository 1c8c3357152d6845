export {
  type Checkpoint,
  type CheckpointTrust,
  checkpointOrigin,
  formatCheckpoint,
  operatorVerifierKey,
  parseCheckpoint,
  signCheckpoint,
  type VerifiedCheckpoint,
  verifyCheckpoint,
  verifyLogSignature,
  verifyWitnessedCheckpoint,
  type WitnessStatement,
} from './checkpoint.ts';
export { addCosignatures, cosign, verifyCosignature } from './cosignature.ts';
export {
  formatNote,
  isKeyName,
  type NoteError,
  type NoteSignature,
  parseNote,
  parseSignatureLines,
  type SignedNote,
} from './note.ts';
export { parseDecimal, parseTreeHead, type TreeHead } from './tree-head.ts';
export {
  formatVerifierKey,
  noteKeyId,
  parseVerifierKey,
  type VerifierKey,
  type VerifierKeyKind,
} from './verifier-key.ts';
