import type { IndexToken } from './index-tokens/token.ts';
import { CategoryKeys } from './keys/category-keys.ts';
import { hmacWith, type Keyring, type Naming, namingWith } from './keys/keyring.ts';
import { pooledRandom, type Random } from './keys/sealed-box.ts';
import { HandleCache } from './records/handle-cache.ts';
import type { SqlStore } from './storage/sql-store.ts';
import { TOKEN_BYTES } from './storage/token-rows.ts';
import { createWriteLock } from './storage/write-lock.ts';

/** What the pieces of one open vault share. */
export type VaultContext = {
  readonly store: SqlStore;
  readonly random: Random;
  readonly now: () => number;
  readonly keys: CategoryKeys;
  readonly naming: Naming;
  readonly hashToken: TokenHasher;
  /** Replaced when the root is. */
  keyring: Keyring;
  readonly numbers: Numbers;
  readonly handles: HandleCache;
  /** One erasure at a time: what destroys old keys must not meet the new one of another, which is not in the database yet. */
  readonly erasures: <T>(work: () => Promise<T>) => Promise<T>;
  readonly onDamagedKey: (keyId: number) => void;
};

/** Gives out the numbers of keys and records, each once. */
export type Numbers = {
  next(): number;
  /** The greatest that was given out. */
  readonly last: number;
  /** None up to this one is given out any more. */
  pass(used: number): void;
};

/** The 16 bytes that stand in the index for a token of a resource type, as a string of 16 characters (Latin-1). */
export type TokenHasher = (resourceType: string, token: IndexToken) => string;

const MAX_CACHED_TOKENS = 50_000;
const MAX_CACHED_NAMES = 5_000;

export async function createVaultContext(
  store: SqlStore,
  keyring: Keyring,
  options: {
    readonly random: Random;
    readonly now: () => number;
    readonly onDamagedKey?: (keyId: number) => void;
  },
): Promise<VaultContext> {
  const random = pooledRandom(options.random);
  const numbers = await createNumbers(store);
  return {
    store,
    random,
    now: options.now,
    keys: new CategoryKeys(keyring.root, random, numbers.next),
    naming: rememberingNames(namingWith(keyring.naming)),
    hashToken: tokenHasher(keyring.index),
    keyring,
    numbers,
    handles: new HandleCache(),
    erasures: createWriteLock(),
    onDamagedKey: options.onDamagedKey ?? (() => undefined),
  };
}

/** Only one process has the vault open, so numbers can be given out from memory. */
async function createNumbers(store: SqlStore): Promise<Numbers> {
  const [row] = await store.reader.all(
    'SELECT (SELECT COALESCE(MAX(rid), 0) FROM records) AS record, (SELECT COALESCE(MAX(key_id), 0) FROM category_keys) AS category_key',
  );
  let last = Math.max(Number(row?.record ?? 0), Number(row?.category_key ?? 0));
  return {
    next() {
      last += 1;
      return last;
    },
    get last() {
      return last;
    },
    pass(used) {
      last = Math.max(last, used);
    },
  };
}

/** Hashes of values, by type, parameter and kind: to join the four to one key would cost more than the hash saves. */
type KnownTokens = Map<string, Map<string, Map<string, Map<string, string>>>>;

/** Values such as a status or a code repeat in almost every record: their hashes are kept for a while. */
function tokenHasher(key: Uint8Array): TokenHasher {
  const mac = hmacWith(key);
  let recent: KnownTokens = new Map();
  let older: KnownTokens = new Map();
  let count = 0;
  return (resourceType, { param, kind, value }) => {
    const known = recent.get(resourceType)?.get(param)?.get(kind)?.get(value);
    if (known !== undefined) return known;
    const token =
      older.get(resourceType)?.get(param)?.get(kind)?.get(value) ??
      mac(`${resourceType}\0${param}\0${kind}\0${value}`).slice(0, TOKEN_BYTES);
    if (count >= MAX_CACHED_TOKENS) [older, recent, count] = [recent, new Map(), 0];
    within(within(within(recent, resourceType), param), kind).set(value, token);
    count += 1;
    return token;
  };
}

/** The inner map of a key; a new one where there is none. */
function within<Inner extends Map<string, unknown>>(outer: Map<string, Inner>, key: string): Inner {
  let inner = outer.get(key);
  if (inner === undefined) {
    inner = new Map() as Inner;
    outer.set(key, inner);
  }
  return inner;
}

/** Records and patients that are read or written now are often asked for again. Other names may be secrets: not kept. */
function rememberingNames(naming: Naming): Naming {
  const name = remembering(MAX_CACHED_NAMES, (text) =>
    naming(...(JSON.parse(text) as [string, ...string[]])),
  );
  return (...parts) =>
    parts[0] === RECORD || parts[0] === SUBJECT ? name(JSON.stringify(parts)) : naming(...parts);
}

/** Keeps the last results of a pure function: at least `limit` of them, at most twice as many. */
function remembering<T>(limit: number, compute: (text: string) => T): (text: string) => T {
  let recent = new Map<string, T>();
  let older = new Map<string, T>();
  return (text) => {
    const known = recent.get(text);
    if (known !== undefined) return known;
    const value = older.get(text) ?? compute(text);
    if (recent.size >= limit) {
      older = recent;
      recent = new Map();
    }
    recent.set(text, value);
    return value;
  };
}

/** The bytes of a token, or of several joined. */
export function tokenBytes(token: string): Uint8Array {
  return Buffer.from(token, 'latin1');
}

const RECORD = 'record';
const SUBJECT = 'subject';
const NO_SUBJECT = 'none';

/** The keyed hash of a patient's id; records of no patient share one of their own. */
export function subjectName(naming: Naming, subject: string | null): Uint8Array {
  return subject === null ? naming(SUBJECT, NO_SUBJECT, '') : naming(SUBJECT, 'patient', subject);
}

/** The keyed hash of a resource's type and id. */
export function recordName(naming: Naming, resourceType: string, id: string): Uint8Array {
  return naming(RECORD, resourceType, id);
}
