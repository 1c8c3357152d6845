import { AppError, toHex, utf8 } from '../../shared/index.ts';
import { CATEGORIES, type Category } from '../category.ts';
import type { SqlReader, SqlRow, SqlSession } from '../storage/sql-store.ts';
import type { Keyring } from './keyring.ts';
import { KEY_BYTES, openBox, type Random, sealBox } from './sealed-box.ts';

/** `audit` protects a patient's entries in the access log; it is no category of records. */
export type KeyClass = Category | 'audit';

const AUDIT_CODE = 100;
const MAX_CACHED = 60_000;

/** The key of one (subject, category, epoch). `subject` is the keyed hash. */
export type CategoryKey = {
  readonly keyId: number;
  readonly subject: Uint8Array;
  readonly keyClass: KeyClass;
  readonly epoch: number;
  /** undefined when the custodian has no copy: a `sealed` key after its write. */
  readonly key: Uint8Array | undefined;
};

/** Keys made in a transaction that has not committed: nobody else may use them yet. */
export type StagedKeys = Map<string, CategoryKey>;

export function keyClassCode(keyClass: KeyClass): number {
  return keyClass === 'audit' ? AUDIT_CODE : CATEGORIES.indexOf(keyClass);
}

export function keyClassOf(code: number): KeyClass {
  if (code === AUDIT_CODE) return 'audit';
  const category = CATEGORIES[code];
  if (category === undefined) throw new AppError('damaged', 'A key has an unknown category. Run the audit.');
  return category;
}

/** Looks up, makes and remembers category keys. Memory holds at most MAX_CACHED, oldest use first out. */
export class CategoryKeys {
  readonly #random: Random;
  readonly #nextId: () => number;
  #root: Uint8Array;
  /** The root that a transaction may have committed, before this process has heard of it. */
  #expectedRoot: Uint8Array | undefined;
  /** Grows with each reset: what was read before one must not be remembered after it. */
  #generation = 0;
  readonly #byId = new Map<number, CategoryKey>();
  readonly #current = new Map<string, CategoryKey>();

  constructor(root: Uint8Array, random: Random, nextId: () => number) {
    this.#root = root;
    this.#random = random;
    this.#nextId = nextId;
  }

  /** The key that is used for what is written now; makes it when there is none. */
  async ensure(
    session: SqlSession,
    subject: Uint8Array,
    keyClass: KeyClass,
    staged: StagedKeys,
  ): Promise<CategoryKey> {
    const slot = slotOf(subject, keyClass);
    const known = staged.get(slot) ?? this.#current.get(slot);
    if (known !== undefined) return known;
    const stored = await this.current(session, subject, keyClass);
    return stored ?? this.#make(session, subject, keyClass, 1, true, staged);
  }

  /** The key of the newest epoch in the database, remembered. */
  async current(
    session: SqlReader,
    subject: Uint8Array,
    keyClass: KeyClass,
  ): Promise<CategoryKey | undefined> {
    const rows = await session.all(
      'SELECT * FROM category_keys WHERE subject = ? AND category = ? ORDER BY epoch DESC LIMIT 1',
      [subject, keyClassCode(keyClass)],
    );
    const found = rows[0] && this.decode(rows[0]);
    if (found !== undefined) this.#remember(found, true);
    return found;
  }

  /** A key with the next epoch. Without `wrapped` the custodian keeps no copy of it. */
  async startEpoch(
    session: SqlSession,
    subject: Uint8Array,
    keyClass: KeyClass,
    wrapped: boolean,
    staged: StagedKeys,
  ): Promise<CategoryKey> {
    const before = staged.get(slotOf(subject, keyClass)) ?? (await this.current(session, subject, keyClass));
    return this.#make(session, subject, keyClass, (before?.epoch ?? 0) + 1, wrapped, staged);
  }

  cachedCurrent(subject: Uint8Array, keyClass: KeyClass): CategoryKey | undefined {
    return this.#current.get(slotOf(subject, keyClass));
  }

  cached(keyId: number): CategoryKey | undefined {
    return this.#byId.get(keyId);
  }

  /** The key with this number; throws AppError `erased` when it was destroyed. */
  async byId(session: SqlReader, keyId: number): Promise<CategoryKey> {
    const cached = this.#byId.get(keyId);
    if (cached !== undefined) {
      this.#byId.delete(keyId);
      this.#byId.set(keyId, cached);
      return cached;
    }
    const generation = this.#generation;
    const [row] = await session.all('SELECT * FROM category_keys WHERE key_id = ?', [keyId]);
    if (row === undefined)
      throw new AppError(
        'erased',
        'The key of this was destroyed by an erasure. It cannot be read any more.',
      );
    if (generation !== this.#generation) return this.byId(session, keyId);
    const key = this.decode(row);
    this.#remember(key, false);
    return key;
  }

  /** Unwraps a row of category_keys. */
  decode(row: SqlRow): CategoryKey {
    const keyId = Number(row.key_id);
    const subject = row.subject as Uint8Array;
    const keyClass = keyClassOf(Number(row.category));
    const epoch = Number(row.epoch);
    const wrapped = row.wrapped as Uint8Array | null;
    const associated = associatedWith(keyId, subject, keyClass, epoch);
    const key = wrapped === null ? undefined : this.#unwrap(wrapped, associated);
    if (wrapped !== null && key === undefined)
      throw new AppError('damaged', `Category key ${keyId} is damaged. Run the audit.`);
    return { keyId, subject, keyClass, epoch, key };
  }

  #unwrap(wrapped: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
    const key = openBox(this.#root, wrapped, associated);
    if (key !== undefined || this.#expectedRoot === undefined) return key;
    return openBox(this.#expectedRoot, wrapped, associated);
  }

  /** Who reads before `reset` may find keys under this root already. */
  expectRoot(root: Uint8Array): void {
    this.#expectedRoot = root;
  }

  /** The wrapping of a key under another root. */
  wrapUnder(root: Uint8Array, key: CategoryKey): Uint8Array | null {
    if (key.key === undefined) return null;
    return sealBox(
      root,
      key.key,
      associatedWith(key.keyId, key.subject, key.keyClass, key.epoch),
      this.#random,
    );
  }

  /** Makes staged keys usable by all, once their transaction has committed. */
  adopt(staged: StagedKeys): void {
    for (const key of staged.values()) if (key.keyClass !== 'sealed') this.#remember(key, true);
  }

  /** Forgets everything; `keyring` holds the root from now on. */
  reset(keyring: Keyring): void {
    this.#root = keyring.root;
    this.#expectedRoot = undefined;
    this.#generation += 1;
    this.#byId.clear();
    this.#current.clear();
  }

  async #make(
    session: SqlSession,
    subject: Uint8Array,
    keyClass: KeyClass,
    epoch: number,
    wrapped: boolean,
    staged: StagedKeys,
  ): Promise<CategoryKey> {
    const made: CategoryKey = {
      keyId: this.#nextId(),
      subject,
      keyClass,
      epoch,
      key: this.#random(KEY_BYTES),
    };
    await session.run(
      'INSERT INTO category_keys (key_id, subject, category, epoch, wrapped) VALUES (?, ?, ?, ?, ?)',
      [made.keyId, subject, keyClassCode(keyClass), epoch, wrapped ? this.wrapUnder(this.#root, made) : null],
    );
    staged.set(slotOf(subject, keyClass), made);
    return made;
  }

  #remember(key: CategoryKey, current: boolean): void {
    evictOldest(this.#byId);
    evictOldest(this.#current);
    this.#byId.set(key.keyId, key);
    if (current && key.key !== undefined) this.#current.set(slotOf(key.subject, key.keyClass), key);
  }
}

function evictOldest(cache: Map<unknown, unknown>): void {
  if (cache.size < MAX_CACHED) return;
  for (const oldest of cache.keys()) {
    cache.delete(oldest);
    return;
  }
}

function slotOf(subject: Uint8Array, keyClass: KeyClass): string {
  return `${toHex(subject)}/${keyClass}`;
}

function associatedWith(keyId: number, subject: Uint8Array, keyClass: KeyClass, epoch: number): Uint8Array {
  return utf8(`careledger/category-key/v1\0${keyId}\0${toHex(subject)}\0${keyClass}\0${epoch}`);
}
