/** The keys that a protector holds: `root` is over every key of the vault, `backup` over every backup. */
export type ProtectedKeyName = 'root' | 'backup';

/** The port to a key management service: its keys never leave it, old versions open what they wrapped until destroyed. */
export type KeyProtector = {
  /** Wraps a secret of at most 4 KiB under the newest version of a key. `context` must be the same to unwrap. */
  wrap(name: ProtectedKeyName, secret: Uint8Array, context: string): Promise<Uint8Array>;
  /** Throws AppError `erased` when the version is gone, `not-found` when it is newer than all there are, `damaged` when the bytes are not as wrapped. */
  unwrap(name: ProtectedKeyName, wrapped: Uint8Array, context: string): Promise<Uint8Array>;
  /** Starts a new version of a key. */
  rotate(name: ProtectedKeyName): Promise<void>;
  /** Destroys every version of a key but the newest. */
  destroyOlder(name: ProtectedKeyName): Promise<void>;
  /** Forgets what is in memory. */
  close(): void;
};
