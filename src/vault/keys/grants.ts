import type { Category } from '../category.ts';

/** A category key sealed with HPKE (RFC 9180) to somebody elsewhere. */
export type SealedKey = {
  readonly subject: string;
  readonly category: Category;
  readonly epoch: number;
  /** Account id (hex) of the one it is sealed to. */
  readonly grantee: string;
  /** The encapsulated key, 32 bytes. */
  readonly encapsulated: Uint8Array;
  readonly ciphertext: Uint8Array;
};

/** Who else holds the category keys of a subject. */
export type Grants = {
  /** Seals the current key of (subject, category), and each later epoch's, to the grantee's X25519 key. */
  grant(grant: {
    readonly subject: string;
    readonly category: Category;
    readonly grantee: string;
    readonly publicKey: Uint8Array;
  }): Promise<SealedKey>;
  list(subject: string, category?: Category): Promise<SealedKey[]>;
  /** Ends a grant: the next epoch's keys are not sealed to the grantee. */
  revoke(subject: string, grantee: string): Promise<void>;
};
