import {
  AppError,
  CanonicalReader,
  CanonicalWriter,
  DecodeError,
  fromUtf8,
  utf8,
} from '../../shared/index.ts';
import { BACKED_UP } from '../storage/schema.ts';
import type { SqlReader, SqlValue } from '../storage/sql-store.ts';

const PAGE = 500;
const MAX_VALUE_BYTES = 64 * 1024 * 1024;
const END_OF_ROWS = 0xff;
const NULL = 0;
const INTEGER = 1;
const TEXT = 2;
const BLOB = 3;

export type BackedUpRow = { readonly table: number; readonly values: readonly SqlValue[] };

/** Every row of the vault, table by table, as length-prefixed canonical bytes; the last frame says how many there were. */
export async function* encodeRows(session: SqlReader): AsyncIterable<Uint8Array> {
  let rows = 0;
  for (const [table, { table: name, columns, key }] of BACKED_UP.entries()) {
    const order = key.join(', ');
    for (let after: SqlValue[] | undefined; ; ) {
      const where = after === undefined ? '' : `WHERE (${order}) > (${key.map(() => '?').join(', ')})`;
      const page = await session.all(
        `SELECT ${columns.join(', ')} FROM ${name} ${where} ORDER BY ${order} LIMIT ${PAGE}`,
        after ?? [],
      );
      for (const row of page) {
        yield framed(
          encodeRow(
            table,
            columns.map((column) => row[column] ?? null),
          ),
        );
        after = key.map((column) => row[column] ?? null);
      }
      rows += page.length;
      if (page.length < PAGE) break;
    }
  }
  yield framed(new CanonicalWriter().u8(END_OF_ROWS).u64(rows).finish());
}

/** Takes the rows apart again; throws AppError `damaged` when the stream does not end as it should. */
export async function* decodeRows(stream: AsyncIterable<Uint8Array>): AsyncIterable<BackedUpRow> {
  let rows = 0;
  for await (const frame of framesOf(stream)) {
    try {
      const reader = new CanonicalReader(frame);
      const table = reader.u8();
      if (table === END_OF_ROWS) {
        if (reader.u64() !== rows) throw damaged();
        return;
      }
      const width = BACKED_UP[table]?.columns.length;
      if (width === undefined) throw damaged();
      yield { table, values: Array.from({ length: width }, () => decodeValue(reader)) };
      rows += 1;
    } catch (error) {
      throw error instanceof DecodeError ? damaged() : error;
    }
  }
  throw damaged();
}

function encodeRow(table: number, values: readonly SqlValue[]): Uint8Array {
  const writer = new CanonicalWriter().u8(table);
  for (const value of values) {
    if (value === null) writer.u8(NULL);
    else if (typeof value === 'number') writer.u8(INTEGER).u64(value);
    else if (typeof value === 'string') writer.u8(TEXT).bytes(utf8(value), MAX_VALUE_BYTES);
    else writer.u8(BLOB).bytes(value, MAX_VALUE_BYTES);
  }
  return writer.finish();
}

function decodeValue(reader: CanonicalReader): SqlValue {
  switch (reader.u8()) {
    case NULL:
      return null;
    case INTEGER:
      return reader.u64();
    case TEXT:
      return fromUtf8(reader.bytes(MAX_VALUE_BYTES)) ?? '';
    default:
      return reader.bytes(MAX_VALUE_BYTES);
  }
}

function framed(bytes: Uint8Array): Uint8Array {
  return new CanonicalWriter().bytes(bytes, 0xffff_ffff).finish();
}

async function* framesOf(stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let held = Buffer.alloc(0);
  for await (const part of stream) {
    held = Buffer.concat([held, part]);
    let at = 0;
    while (held.length - at >= 4) {
      const length = held.readUInt32BE(at);
      if (held.length - at - 4 < length) break;
      yield held.subarray(at + 4, at + 4 + length);
      at += 4 + length;
    }
    held = held.subarray(at);
  }
  if (held.length > 0) throw damaged();
}

function damaged(): AppError {
  return new AppError('damaged', 'The rows in the backup do not end as they should. Use another backup.');
}
