import { publicKeyOf, signMessage } from '../../identity/index.ts';
import {
  checkpointOrigin,
  formatCheckpoint,
  formatNote,
  noteKeyId,
  operatorVerifierKey,
  parseNote,
} from '../../ledger/index.ts';
import { CanonicalReader, CanonicalWriter, sha256Concat, utf8 } from '../../shared/index.ts';
import type { UnsignedSeal } from '../ledger-state.ts';

const SIGNATURE_BYTES = 64;
const NAME_SUFFIX = '/consensus';
/** c2sp.org/signed-note, "Signature types": 0xff is followed by a name of one's own. */
const SIGNATURE_TYPE = utf8('\u00ffcareledger-consensus-head');

/** Signs the head of a block of ours, and states which block of the consensus engine gave it. */
export type ConsensusHeadSigner = (height: number, seal: UnsignedSeal, consensusHeight: number) => string;

/**
 * A node's own note over a head: the checkpoint signed by the node, and a line by which it states the consensus height it stands
 * for (docs/protocol.md, "Under CometBFT"). It is the word of one node; what the consortium agreed on is proven by its commits.
 */
export function consensusHeadSigner(chainId: Uint8Array, nodeSeed: Uint8Array): ConsensusHeadSigner {
  const name = checkpointOrigin(chainId) + NAME_SUFFIX;
  const publicKey = publicKeyOf(nodeSeed);
  const keyId = new DataView(sha256Concat(utf8(`${name}\n`), SIGNATURE_TYPE, publicKey).buffer).getUint32(0);
  const ownKey = operatorVerifierKey(chainId, publicKey);
  const ownKeyId = noteKeyId(ownKey);
  return (height, { timeMs, logSize, logRoot, stateRoot }, consensusHeight) => {
    const text = formatCheckpoint({ chainId, height, timeMs, logSize, logRoot, stateRoot });
    const signature = signMessage(nodeSeed, headMessage(text, consensusHeight));
    const stated = new CanonicalWriter().u64(consensusHeight).fixed(signature, SIGNATURE_BYTES).finish();
    const ofHead = { name: ownKey.name, keyId: ownKeyId, signature: signMessage(nodeSeed, utf8(text)) };
    return formatNote({ text, signatures: [ofHead, { name, keyId, signature: stated }] });
  };
}

/** The consensus height that a note of this node states; undefined where it states none. */
export function consensusHeightOf(note: string): number | undefined {
  const parsed = parseNote(note);
  if (!parsed.ok) return undefined;
  const line = parsed.value.signatures.find(({ name }) => name.endsWith(NAME_SUFFIX));
  if (line?.signature.length !== 8 + SIGNATURE_BYTES) return undefined;
  return new CanonicalReader(line.signature.slice(0, 8)).u64();
}

function headMessage(text: string, consensusHeight: number): Uint8Array {
  return utf8(`careledger/consensus-head/v1\nheight ${consensusHeight}\n${text}`);
}
