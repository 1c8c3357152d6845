import { createPrivateKey, sign } from 'node:crypto';
import { publicKeyOf } from '../identity/index.ts';
import { checkpointOrigin, formatCheckpoint, noteKeyId, operatorVerifierKey } from '../ledger/index.ts';
import { toBase64, utf8 } from '../shared/index.ts';
import type { UnsignedSeal } from './ledger-state.ts';

/** PrivateKeyInfo of an Ed25519 seed up to the seed itself (RFC 8410 section 7). */
const PKCS8_PREFIX = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x04,
  0x22,
  0x04,
  0x20,
);

/**
 * Signs the head of every block, byte for byte as the ledger's `signCheckpoint` does, but natively and with the key parsed
 * once: a block has a millisecond, and the portable signature takes one.
 */
export function headSigner(
  chainId: Uint8Array,
  operatorSeed: Uint8Array,
): (height: number, seal: UnsignedSeal) => string {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, operatorSeed]),
    format: 'der',
    type: 'pkcs8',
  });
  const keyId = Buffer.alloc(4);
  keyId.writeUInt32BE(noteKeyId(operatorVerifierKey(chainId, publicKeyOf(operatorSeed))));
  const name = checkpointOrigin(chainId);
  return (height, { timeMs, logSize, logRoot, stateRoot }) => {
    const text = formatCheckpoint({ chainId, height, timeMs, logSize, logRoot, stateRoot });
    const signature = sign(null, utf8(text), key);
    return `${text}\n\u2014 ${name} ${toBase64(Buffer.concat([keyId, signature]))}\n`;
  };
}
