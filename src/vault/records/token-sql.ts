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

type HashesOf = (token: IndexToken) => readonly Uint8Array[];

/** Writes the expression as SQL over table `tokens`. `probe`: test each record in turn, for lists that match many. */
export function expressionSql(
  text: SqlText,
  expression: TokenExpression,
  hashesOf: HashesOf,
  probe: boolean,
  depth = 0,
): void {
  if (depth > MAX_DEPTH)
    throw new AppError('nesting-too-deep', 'The search is nested too deeply. Simplify it.');
  if ('not' in expression) {
    text.add('NOT ');
    expressionSql(text, expression.not, hashesOf, true, depth + 1);
  } else if ('token' in expression) {
    tokenSetSql(text, [expression.token], hashesOf, probe);
  } else if ('any' in expression) {
    anySql(text, expression.any, hashesOf, probe, depth);
  } else {
    joined(text, expression.all, ' AND ', '1 = 1', (one) =>
      expressionSql(text, one, hashesOf, probe, depth + 1),
    );
  }
}

/** Tokens side by side become one list; the rest follows with OR. */
function anySql(
  text: SqlText,
  any: readonly TokenExpression[],
  hashesOf: HashesOf,
  probe: boolean,
  depth: number,
): void {
  const tokens = any.flatMap((one) => ('token' in one ? [one.token] : []));
  const rest = any.filter((one) => !('token' in one));
  if (rest.length === 0 && tokens.length > 0) {
    tokenSetSql(text, tokens, hashesOf, probe);
    return;
  }
  const parts: (TokenExpression | IndexToken[])[] = tokens.length > 0 ? [tokens, ...rest] : [...rest];
  joined(text, parts, ' OR ', '1 = 0', (one) => {
    if (Array.isArray(one)) tokenSetSql(text, one, hashesOf, probe);
    else expressionSql(text, one, hashesOf, probe, depth + 1);
  });
}

function tokenSetSql(text: SqlText, tokens: readonly IndexToken[], hashesOf: HashesOf, probe: boolean): void {
  const hashes = tokens.flatMap((token) => [...hashesOf(token)]);
  const list = placeholders(hashes.length);
  if (probe)
    text.add(`EXISTS (SELECT 1 FROM tokens t WHERE t.rid = r.rid AND t.token IN (${list}))`, ...hashes);
  else text.add(`r.rid IN (SELECT t.rid FROM tokens t WHERE t.token IN (${list}))`, ...hashes);
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

/** The token lists of which each match must hold one: candidates to start a search from. */
export function positiveTokenSets(expression: TokenExpression): IndexToken[][] {
  if ('token' in expression) return [[expression.token]];
  if ('not' in expression) return [];
  if ('all' in expression) return expression.all.flatMap(positiveTokenSets);
  const tokens = expression.any.flatMap((one) => ('token' in one ? [one.token] : []));
  return tokens.length === expression.any.length ? [tokens] : [];
}
