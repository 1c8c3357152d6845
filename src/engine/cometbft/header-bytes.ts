import { HEADER_BYTES } from '../../ledger/index.ts';

/** A header begins with the version and the chain id; contract, action and signer follow (docs/protocol.md, "Transaction"). */
const CONTRACT_AT = 1 + 32;
const ACTION_AT = CONTRACT_AT + 1;
const SIGNER_AT = ACTION_AT + 1;
const SIGNER_BYTES = 32;
/** The number of parts stands behind the header and the signature, which has 64 bytes. */
const PARTS_AT = HEADER_BYTES + 64;

/** Whether these bytes say that they are one of these actions; nothing else of them is looked at. */
export function isOneOf(
  bytes: Uint8Array,
  actions: readonly { readonly contract: number; readonly action: number }[],
): boolean {
  return actions.some(
    ({ contract, action }) => bytes[CONTRACT_AT] === contract && bytes[ACTION_AT] === action,
  );
}

/** Who these bytes say has signed them. */
export function signerIn(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(SIGNER_AT, SIGNER_AT + SIGNER_BYTES);
}

/** How many parts these bytes say that they have. */
export function partsIn(bytes: Uint8Array): number {
  return (bytes[PARTS_AT] ?? 0) * 256 + (bytes[PARTS_AT + 1] ?? 0);
}
