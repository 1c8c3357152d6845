import { AppError } from '../../shared/index.ts';
import type { IndexToken, TokenExpression } from '../index-tokens/token.ts';
import { placeholders, type SqlValue } from '../storage/sql-store.ts';

const MAX_PARAMETERS = 30_000;
const MAX_DEPTH = 64;

/** A statement under construction, with what its question marks stand for. */
export class SqlText {
  sql: string;
  readonly parameters: SqlValue[] = [];

  constructor(sql: string) {
    this.sql = sql;
  }

  add(sql: string, ...parameters: SqlValue[]): this {
    this.sql += sql;
    return this.bind(...parameters);
  }

  bind(...parameters: SqlValue[]): this {
    for (const one of parameters) this.parameters.push(one);
    return this;
  }

  /** A search with more values than a database takes in one statement is refused before it is tried. */
  check(): void {
    if (this.parameters.length <= MAX_PARAMETERS) return;
    throw new AppError('too-many', 'The search has too many values. Narrow it, or split it into several.');
  }
}

/** How tokens become hashes, and which list, if any, a search starts from; the others are tested record by record. */
export type TokenSearch = {
  hashesOf(token: IndexToken): readonly Uint8Array[];
  readonly start: TokenExpression | undefined;
};

/** Writes the expression as SQL over table `tokens`. */
export function expressionSql(
  text: SqlText,
  expression: TokenExpression,
  search: TokenSearch,
  depth = 0,
): void {
  if (depth > MAX_DEPTH)
    throw new AppError('nesting-too-deep', 'The search is nested too deeply. Simplify it.');
  const inner = (one: TokenExpression) => expressionSql(text, one, search, depth + 1);
  if ('not' in expression) {
    text.add('NOT ');
    inner(expression.not);
  } else if ('token' in expression) {
    tokenSetSql(text, [expression.token], search, expression === search.start);
  } else if ('any' in expression) {
    anySql(text, expression, search, inner);
  } else {
    joined(text, expression.all, ' AND ', '1 = 1', inner);
  }
}

/** Tokens side by side become one list; the rest follows with OR. */
function anySql(
  text: SqlText,
  expression: { readonly any: readonly TokenExpression[] },
  search: TokenSearch,
  inner: (one: TokenExpression) => void,
): void {
  const tokens = expression.any.flatMap((one) => ('token' in one ? [one.token] : []));
  const rest = expression.any.filter((one) => !('token' in one));
  if (rest.length === 0 && tokens.length > 0) {
    tokenSetSql(text, tokens, search, expression === search.start);
    return;
  }
  const parts: (TokenExpression | IndexToken[])[] = tokens.length > 0 ? [tokens, ...rest] : [...rest];
  joined(text, parts, ' OR ', '1 = 0', (one) => {
    if (Array.isArray(one)) tokenSetSql(text, one, search, false);
    else inner(one);
  });
}

function tokenSetSql(
  text: SqlText,
  tokens: readonly IndexToken[],
  search: TokenSearch,
  starts: boolean,
): void {
  const hashes = tokens.flatMap((token) => [...search.hashesOf(token)]);
  const list = placeholders(hashes.length);
  if (starts) text.add(`r.rid IN (SELECT t.rid FROM tokens t WHERE t.token IN (${list}))`, ...hashes);
  else text.add(`EXISTS (SELECT 1 FROM tokens t WHERE t.rid = r.rid AND t.token IN (${list}))`, ...hashes);
}

function joined<T>(
  text: SqlText,
  parts: readonly T[],
  joint: string,
  empty: string,
  write: (part: T) => void,
): void {
  if (parts.length === 0) {
    text.add(`(${empty})`);
    return;
  }
  text.add('(');
  for (const [index, part] of parts.entries()) {
    if (index > 0) text.add(joint);
    write(part);
  }
  text.add(')');
}

/** A list of tokens of which each match must hold one, and the place in the expression where it stands. */
export type RequiredTokens = { readonly at: TokenExpression; readonly tokens: readonly IndexToken[] };

/** The lists that a search may start from. */
export function requiredTokens(expression: TokenExpression): RequiredTokens[] {
  if ('token' in expression) return [{ at: expression, tokens: [expression.token] }];
  if ('not' in expression) return [];
  if ('all' in expression) return expression.all.flatMap(requiredTokens);
  const tokens = expression.any.flatMap((one) => ('token' in one ? [one.token] : []));
  return tokens.length === expression.any.length ? [{ at: expression, tokens }] : [];
}
