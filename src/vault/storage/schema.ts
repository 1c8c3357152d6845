/** States of a record version: a search sees LIVE only. */
export const SUPERSEDED = 0;
export const LIVE = 1;
export const TOMBSTONE = 2;

/**
 * The tables of a vault. In the clear: resource type, version, time, and which key, of which category and epoch; ids, subjects
 * and search values are keyed hashes; the rest is ciphertext (docs/security.md, "What is not"). `rkey` is the keyed hash of (type, id); `rid` a number for joins.
 */
const TABLES = [
  'CREATE TABLE IF NOT EXISTS keyring (slot INTEGER PRIMARY KEY, wrapped BLOB NOT NULL)',
  `CREATE TABLE IF NOT EXISTS category_keys (
    key_id BIGINT PRIMARY KEY, subject BLOB NOT NULL, category INTEGER NOT NULL, epoch INTEGER NOT NULL, wrapped BLOB,
    UNIQUE (subject, category, epoch))`,
  `CREATE TABLE IF NOT EXISTS grants (
    subject BLOB NOT NULL, grantee BLOB NOT NULL, category INTEGER NOT NULL, key_id BIGINT NOT NULL, info_key_id BIGINT NOT NULL, info BLOB NOT NULL,
    PRIMARY KEY (subject, grantee, category, key_id))`,
  `CREATE TABLE IF NOT EXISTS records (
    rid BIGINT PRIMARY KEY, rkey BLOB NOT NULL, version INTEGER NOT NULL, resource_type TEXT NOT NULL, updated_ms BIGINT NOT NULL,
    state INTEGER NOT NULL, anchored INTEGER NOT NULL, subject BLOB NOT NULL, key_id BIGINT NOT NULL, meta_key_id BIGINT NOT NULL,
    meta BLOB NOT NULL, wrapped BLOB NOT NULL, content BLOB NOT NULL, tokens BLOB NOT NULL,
    UNIQUE (rkey, version))`,
  'CREATE INDEX IF NOT EXISTS records_in_order ON records (resource_type, updated_ms DESC, rkey, version DESC)',
  'CREATE INDEX IF NOT EXISTS records_of_subject ON records (subject, resource_type)',
  'CREATE INDEX IF NOT EXISTS records_pending ON records (rid) WHERE anchored = 0',
  `CREATE TABLE IF NOT EXISTS entries (
    tab TEXT NOT NULL, name BLOB NOT NULL, subject BLOB, expires_ms BIGINT, key_id BIGINT, value BLOB NOT NULL,
    PRIMARY KEY (tab, name))`,
  // All three, so that a patient's rows of one table are found in their order without going through everybody's.
  'CREATE INDEX IF NOT EXISTS entries_by_subject ON entries (subject, tab, name) WHERE subject IS NOT NULL',
];

const TOKENS =
  'CREATE TABLE IF NOT EXISTS tokens (token BLOB NOT NULL, rid BIGINT NOT NULL, PRIMARY KEY (token, rid))';

/** Every table and its primary key, in the order that a backup copies them. */
export const BACKED_UP: readonly {
  readonly table: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
}[] = [
  { table: 'keyring', columns: ['slot', 'wrapped'], key: ['slot'] },
  { table: 'category_keys', columns: ['key_id', 'subject', 'category', 'epoch', 'wrapped'], key: ['key_id'] },
  {
    table: 'grants',
    columns: ['subject', 'grantee', 'category', 'key_id', 'info_key_id', 'info'],
    key: ['subject', 'grantee', 'category', 'key_id'],
  },
  {
    table: 'records',
    columns: [
      'rid',
      'rkey',
      'version',
      'resource_type',
      'updated_ms',
      'state',
      'anchored',
      'subject',
      'key_id',
      'meta_key_id',
      'meta',
      'wrapped',
      'content',
      'tokens',
    ],
    key: ['rid'],
  },
  {
    table: 'entries',
    columns: ['tab', 'name', 'subject', 'expires_ms', 'key_id', 'value'],
    key: ['tab', 'name'],
  },
];

/** Columns of bytes that may hold nothing. */
export const NULLABLE_BLOBS: ReadonlySet<string> = new Set(['category_keys.wrapped', 'entries.subject']);

/** STRICT, so that the database's own check finds a value of another type, also one that nothing else is read from. */
export const SQLITE_SCHEMA: readonly string[] = [
  ...TABLES.map((sql) => (sql.startsWith('CREATE TABLE') ? `${sql} STRICT` : sql)),
  `${TOKENS} WITHOUT ROWID, STRICT`,
].map((sql) => sql.replaceAll('BIGINT', 'INTEGER'));

export const POSTGRES_SCHEMA: readonly string[] = [
  ...TABLES.map((sql) => sql.replaceAll('BLOB', 'BYTEA')),
  TOKENS.replaceAll('BLOB', 'BYTEA'),
];
