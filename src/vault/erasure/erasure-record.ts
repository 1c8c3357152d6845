import { CanonicalWriter, compareBytes, leafHash, SHA256_BYTES, treeRoot } from '../../shared/index.ts';

/** Signs for the custodian. */
export type VaultSigner = { readonly publicKey: Uint8Array; sign(message: Uint8Array): Uint8Array };

/** What is erased: one resource with all its versions, or a patient with everything in the compartment. */
export type EraseTarget =
  | { readonly resourceType: string; readonly id: string }
  | {
      readonly subject: string;
      /** Whether the entries of the access log about the patient become unreadable too; true when absent. */
      readonly accessLog?: boolean;
    };

/** What stays after an erasure: no content, no identifier; the commitments that are on the ledger have lost their salts. */
export type ErasureRecord = {
  readonly format: 'careledger-erasure/v1';
  readonly scope: 'record' | 'subject';
  readonly erasedAtMs: number;
  /** Sorted, so that the root tells nothing about order of writing. */
  readonly commitments: readonly Uint8Array[];
  /** RFC 9162 root over the sorted commitments. */
  readonly erasureRoot: Uint8Array;
  readonly publicKey: Uint8Array;
  /** Over erasureRecordBytes(record). */
  readonly signature: Uint8Array;
};

/** RFC 9162 root over the sorted commitments. */
export function erasureRootOf(commitments: readonly Uint8Array[]): Uint8Array {
  return treeRoot([...commitments].sort(compareBytes).map(leafHash));
}

/** What is signed: every field but the signature. */
export function erasureRecordBytes(record: Omit<ErasureRecord, 'signature'>): Uint8Array {
  return new CanonicalWriter()
    .ascii(record.format, 64)
    .ascii(record.scope, 16)
    .u64(record.erasedAtMs)
    .u32(record.commitments.length)
    .fixed(record.erasureRoot, SHA256_BYTES)
    .fixed(record.publicKey, 32)
    .finish();
}

export function signErasure(
  scope: ErasureRecord['scope'],
  commitments: readonly Uint8Array[],
  erasedAtMs: number,
  signer: VaultSigner,
): ErasureRecord {
  const unsigned = {
    format: 'careledger-erasure/v1',
    scope,
    erasedAtMs,
    commitments: [...commitments].sort(compareBytes),
    erasureRoot: erasureRootOf(commitments),
    publicKey: signer.publicKey,
  } as const;
  return { ...unsigned, signature: signer.sign(erasureRecordBytes(unsigned)) };
}
