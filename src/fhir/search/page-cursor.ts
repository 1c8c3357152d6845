import { createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalJson } from '../../shared/index.ts';
import type { Session } from '../gate/index.ts';
import { badSearch } from './search-query.ts';

/**
 * Where a page ended, as text that only this node can write: bound to who asked and to what was asked, so that nobody can
 * make one up to probe for records, nor use another's.
 */
export type CursorSeal = {
  seal(session: Session, query: string, place: readonly (string | number)[]): string;
  /** Throws `invalid-search` for what was not sealed for this session's account and this query. */
  open(session: Session, query: string, cursor: string): readonly (string | number)[];
};

const TAG_CHARACTERS = 43;
const MAX_CURSOR_CHARACTERS = 1024;

/** A seal under a key that lives as long as the process: after a restart a reader starts again at the first page. */
export function createCursorSeal(key: Uint8Array): CursorSeal {
  const tagOf = (session: Session, query: string, place: string): string =>
    createHmac('sha256', key)
      .update(canonicalJson(['careledger/page-cursor/v1', session.accountId, session.purpose, query, place]))
      .digest('base64url');
  return {
    seal(session, query, place) {
      const text = Buffer.from(JSON.stringify(place)).toString('base64url');
      return tagOf(session, query, text) + text;
    },
    open(session, query, cursor) {
      if (cursor.length > MAX_CURSOR_CHARACTERS || !cursor.isWellFormed()) throw notOurs();
      const text = cursor.slice(TAG_CHARACTERS);
      const given = Buffer.from(cursor.slice(0, TAG_CHARACTERS));
      const wanted = Buffer.from(tagOf(session, query, text));
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw notOurs();
      return JSON.parse(Buffer.from(text, 'base64url').toString()) as (string | number)[];
    },
  };
}

function notOurs() {
  return badSearch(
    'The cursor is not one that this server made for you and this query since it started. Start again without it.',
  );
}
