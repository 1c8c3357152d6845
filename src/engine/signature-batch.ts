/** One signature to check. The key comes from the registry, where it was checked when it was registered. */
export type SignatureCheck = {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
};

const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const CHECK_HEADER_BYTES = PUBLIC_KEY_BYTES + SIGNATURE_BYTES + 4;

/** Packs checks into one buffer that can be transferred: count, then key ‖ signature ‖ length ‖ message of each. */
export function packChecks(checks: readonly SignatureCheck[]): Uint8Array<ArrayBuffer> {
  const size = checks.reduce((sum, check) => sum + CHECK_HEADER_BYTES + check.message.length, 4);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, checks.length);
  let at = 4;
  for (const { publicKey, signature, message } of checks) {
    bytes.set(publicKey, at);
    bytes.set(signature, at + PUBLIC_KEY_BYTES);
    view.setUint32(at + CHECK_HEADER_BYTES - 4, message.length);
    bytes.set(message, at + CHECK_HEADER_BYTES);
    at += CHECK_HEADER_BYTES + message.length;
  }
  return bytes;
}

/** The checks of a packed buffer, as views into it. */
export function* unpackChecks(bytes: Uint8Array): Generator<SignatureCheck> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0);
  let at = 4;
  for (let index = 0; index < count; index++) {
    const signatureAt = at + PUBLIC_KEY_BYTES;
    const messageAt = at + CHECK_HEADER_BYTES;
    const end = messageAt + view.getUint32(messageAt - 4);
    yield {
      publicKey: bytes.subarray(at, signatureAt),
      signature: bytes.subarray(signatureAt, signatureAt + SIGNATURE_BYTES),
      message: bytes.subarray(messageAt, end),
    };
    at = end;
  }
}
