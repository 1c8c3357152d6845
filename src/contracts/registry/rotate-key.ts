import { parsePublicKey, verifySignature } from '../../identity/index.ts';
import { type Account, RESULT_CODES, readAccount, sealAction, writeAccount } from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { possessionMessage } from './registration.ts';

export type RotateKey = { readonly newKey: Uint8Array; readonly possessionProof: Uint8Array };

export function encodeRotateKey(payload: RotateKey): Uint8Array {
  return new CanonicalWriter().fixed(payload.newKey, 32).fixed(payload.possessionProof, 64).finish();
}

/** The holder of an account replaces its key: signed with the old one, and proven with the new one. */
export const rotateKey = sealAction<RotateKey>({
  contract: CONTRACT.registry,
  action: 5,
  name: 'rotate-key',
  decode: (parts) => decodeSinglePart(parts, readRotateKey),
  check(_state, context, payload) {
    const key = parsePublicKey(payload.newKey);
    if (!key.ok) return RESULT_CODES['bad-key'];
    const message = possessionMessage(context.chainId, context.signer, key.value);
    return verifySignature(key.value, message, payload.possessionProof)
      ? RESULT_CODES.ok
      : RESULT_CODES['bad-possession-proof'];
  },
  apply(state, context, payload) {
    const account = readAccount(state, context.signer) as Account;
    writeAccount(state, context.signer, { ...account, publicKey: payload.newKey });
  },
});

export function readRotateKey(reader: CanonicalReader): RotateKey {
  return { newKey: reader.fixed(32), possessionProof: reader.fixed(64) };
}
