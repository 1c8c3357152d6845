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
