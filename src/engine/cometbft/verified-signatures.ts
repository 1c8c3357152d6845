import type { VerifySignature } from '../../ledger/index.ts';
import { equalBytes } from '../../shared/index.ts';
import { verifyNatively } from '../native-verify.ts';
import type { SignatureCheck } from '../signature-batch.ts';
import type { VerifyPool } from '../verify-pool.ts';

/** A transaction is checked on its way into the mempool, in a proposal and in the block; its signature once. */
const MAX_REMEMBERED = 50_000;

type Known = { readonly publicKey: Uint8Array; readonly message: Uint8Array };

/** Signatures that were found valid, by key, message and signature. Those that were not are checked again. */
export class VerifiedSignatures {
  readonly #pool: VerifyPool;
  #newer = new Map<string, Known>();
  #older = new Map<string, Known>();

  constructor(pool: VerifyPool) {
    this.#pool = pool;
  }

  /** Answers from what is known, and checks here what is not. */
  readonly verify: VerifySignature = (publicKey, message, signature) => {
    const check = { publicKey, message, signature };
    if (this.isKnown(check)) return true;
    const isValid = verifyNatively(publicKey, message, signature);
    if (isValid) this.#remember(check);
    return isValid;
  };

  /** Checks off the main thread. */
  verifyLater(check: SignatureCheck): Promise<boolean> {
    return new Promise((resolve) => {
      this.#pool.check(check, (isValid) => {
        if (isValid) this.#remember(check);
        resolve(isValid);
      });
    });
  }

  isKnown({ publicKey, message, signature }: SignatureCheck): boolean {
    const key = textOf(signature);
    const known = this.#newer.get(key) ?? this.#older.get(key);
    return (
      known !== undefined && equalBytes(known.publicKey, publicKey) && equalBytes(known.message, message)
    );
  }

  #remember({ publicKey, message, signature }: SignatureCheck): void {
    if (this.#newer.size >= MAX_REMEMBERED) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(textOf(signature), { publicKey, message });
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
