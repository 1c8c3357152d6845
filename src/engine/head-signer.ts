import { publicKeyOf, signMessage } from '../identity/index.ts';
import { checkpointOrigin, formatCheckpoint, noteKeyId, operatorVerifierKey } from '../ledger/index.ts';
import { toBase64, utf8 } from '../shared/index.ts';
import type { UnsignedSeal } from './ledger-state.ts';

/**
 * Signs the head of every block, byte for byte as the ledger's `signCheckpoint` does, but with the key's id computed once: a
 * block has a millisecond, and deriving the public key takes one.
 */
export function headSigner(
  chainId: Uint8Array,
  operatorSeed: Uint8Array,
): (height: number, seal: UnsignedSeal) => string {
  const keyId = Buffer.alloc(4);
  keyId.writeUInt32BE(noteKeyId(operatorVerifierKey(chainId, publicKeyOf(operatorSeed))));
  const name = checkpointOrigin(chainId);
  return (height, { timeMs, logSize, logRoot, stateRoot }) => {
    const text = formatCheckpoint({ chainId, height, timeMs, logSize, logRoot, stateRoot });
    const signature = signMessage(operatorSeed, utf8(text));
    return `${text}\n\u2014 ${name} ${toBase64(Buffer.concat([keyId, signature]))}\n`;
  };
}
