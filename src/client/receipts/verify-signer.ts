import { CONTRACT, readRotateKey } from '../../contracts/index.ts';
import { accountIdOf, type PublicKey, parsePublicKey, verifySignature } from '../../identity/index.ts';
import { type LogLeaf, payloadRootOf, signingBytes } from '../../ledger/index.ts';
import { CanonicalReader, equalBytes } from '../../shared/index.ts';
import type { AccountKeyProof, ReceiptBody } from './receipt-format.ts';
import { refuseUnless } from './refusal.ts';
import { type VerifiedHead, verifyRecorded } from './verify-recorded.ts';
import { accountText, type Findings, keyText } from './words.ts';

const ROTATE_KEY = 5;

/** A key that is shown to be an account's, and since which height; 0 for the key that the account is named after. */
export type ShownKey = {
  readonly publicKey: PublicKey;
  readonly rotations: number;
  readonly sinceHeight: number;
  /** When it was recorded; 0 for the key that the account is named after. */
  readonly sinceMs: number;
};

/** Checks the signature under the leaf, and that its key is the account's. undefined when the file shows no key. */
export function verifySigner(
  leaf: LogLeaf,
  index: number,
  proof: AccountKeyProof | null,
  head: VerifiedHead,
): ShownKey | undefined {
  if (proof === null) return undefined;
  const key = verifyAccountKey(proof, leaf.header.signer, head, index);
  refuseUnless(
    verifySignature(key.publicKey, signingBytes(leaf.header), leaf.signature),
    'signature-invalid',
  );
  return key;
}

/** The last of verifyAccountKeys. */
export function verifyAccountKey(
  proof: AccountKeyProof,
  accountId: Uint8Array,
  head: VerifiedHead,
  beforeIndex?: number,
): ShownKey {
  return verifyAccountKeys(proof, accountId, head, beforeIndex).at(-1) as ShownKey;
}

/**
 * Follows an account's key from the one it is named after through each recorded rotation, all before `beforeIndex` of the
 * history. Every rotation is signed with the key before it, so the operator cannot slip in a key of its own. At least one key.
 */
export function verifyAccountKeys(
  proof: AccountKeyProof,
  accountId: Uint8Array,
  head: VerifiedHead,
  beforeIndex: number = head.checkpoint.logSize,
): readonly ShownKey[] {
  let publicKey = keyOf(proof.publicKey);
  refuseUnless(equalBytes(accountIdOf(publicKey), accountId), 'signer-unproven');
  const keys: ShownKey[] = [{ publicKey, rotations: 0, sinceHeight: 0, sinceMs: 0 }];
  let last = -1;
  for (const { recorded, payload } of proof.rotations) {
    refuseUnless(recorded.index > last && recorded.index < beforeIndex, 'signer-unproven');
    const leaf = verifyRecorded(recorded, head);
    publicKey = rotatedKey(leaf, payload, accountId, publicKey);
    keys.push({ publicKey, rotations: keys.length, sinceHeight: leaf.height, sinceMs: leaf.timeMs });
    last = recorded.index;
  }
  return keys;
}

export function verifyAccountKeyBody(body: ReceiptBody<'account-key'>, head: VerifiedHead): Findings {
  const key = verifyAccountKey(body.key, body.accountId, head);
  return {
    statements: [`${accountText(body.accountId)} has signed with ${keyText(key)}.`],
    notProven: [
      'That the account has not changed its key again: the file shows the changes that its giver chose to show.',
    ],
  };
}

function rotatedKey(leaf: LogLeaf, payload: Uint8Array, accountId: Uint8Array, before: PublicKey): PublicKey {
  const { contract, action, signer, payloadRoot } = leaf.header;
  const isRotation = contract === CONTRACT.registry && action === ROTATE_KEY && leaf.result.code === 0;
  refuseUnless(isRotation && equalBytes(signer, accountId), 'signer-unproven');
  refuseUnless(equalBytes(payloadRootOf([payload]), payloadRoot), 'payload-mismatch');
  refuseUnless(verifySignature(before, signingBytes(leaf.header), leaf.signature), 'signer-unproven');
  const reader = new CanonicalReader(payload);
  const { newKey } = readRotateKey(reader);
  reader.end();
  return keyOf(newKey);
}

function keyOf(bytes: Uint8Array): PublicKey {
  const key = parsePublicKey(bytes);
  refuseUnless(key.ok, 'signer-unproven');
  return key.value;
}
