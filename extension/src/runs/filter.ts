/** What may come next in a filter of MLflow's language. */
import type { RunColumn, RunRow } from '../api';
import { columnName, parseColumn, valueOf, type ColumnKind } from './columns';

export interface ICompletion {
  /** Which characters it replaces. */
  from: number;
  to: number;
  options: IOption[];
}

export interface IOption {
  text: string;
  note: string;
}

const ATTRIBUTES = ['status', 'run_name', 'start_time', 'end_time', 'user_id', 'run_id'];
const STATUSES = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'];
const OPERATORS: Record<'number' | 'text' | 'time', string[]> = {
  number: ['>', '>=', '<', '<=', '=', '!='],
  time: ['>', '>=', '<', '<=', '=', '!='],
  text: ['=', '!=', 'LIKE', 'ILIKE', 'IN', 'IS NOT NULL', 'IS NULL']
};
/** Proposals shown at a time. */
const MOST = 50;
/** Characters of a value that is proposed. */
const LONG = 80;

/** An identifier (perhaps unfinished), a string, a number, an operator. */
const TOKEN =
  /[A-Za-z]+\.(?:`[^`]*`?|"[^"]*"?|[\w./-]*)|'[^']*'?|"[^"]*"?|\([^)]*\)?|[<>=!]+|[^\s<>=!'"()]+/g;

interface IToken {
  text: string;
  from: number;
  to: number;
}

/** Values are proposed of the runs that are known. */
export function complete(
  text: string,
  caret: number,
  columns: readonly RunColumn[],
  runs: Iterable<RunRow> = []
): ICompletion {
  const tokens = [...text.slice(0, caret).matchAll(TOKEN)].map((found): IToken => ({
    text: found[0],
    from: found.index,
    to: found.index + found[0].length
  }));
  const last = tokens[tokens.length - 1];
  const current = last && last.to === caret ? last : null;
  const before = (current ? tokens.slice(0, -1) : tokens).map(token => token.text);
  const typed = current?.text ?? '';
  const rest = /^[\w.`"/-]*/.exec(current ? text.slice(caret) : '')?.[0] ?? '';
  const at = { from: current?.from ?? caret, to: current ? caret + rest.length : caret };
  const isOperator = /^[<>=!]+$/.test(typed);
  if (isOperator) {
    return { ...at, options: [] };
  }
  return { ...at, options: proposals(before, typed, columns, runs).slice(0, MOST) };
}

function proposals(
  before: string[],
  typed: string,
  columns: readonly RunColumn[],
  runs: Iterable<RunRow>
): IOption[] {
  // since the last AND: an identifier, an operator, a value
  const start = before.map(token => token.toUpperCase()).lastIndexOf('AND') + 1;
  const clause = before.slice(start);
  const like = (options: IOption[]) => {
    const bare = (text: string) => text.toLowerCase().replace(/[`"']/g, '');
    const word = bare(typed);
    const plain = (option: IOption) => bare(option.text);
    const begins = options.filter(option => plain(option).startsWith(word));
    const has = options.filter(
      option => !plain(option).startsWith(word) && word.length > 0 && plain(option).includes(word)
    );
    return [...begins, ...has].filter(option => option.text !== typed);
  };
  if (!clause.length) {
    return like(identifiers(columns));
  }
  const subject = clause[0];
  const operator = clause.slice(1).join(' ').toUpperCase();
  if (clause.length === 1 || /^(IS|NOT|IS NOT)$/.test(operator)) {
    const rest = OPERATORS[typeOf(subject)]
      .filter(option => option.startsWith(operator))
      .map(option => option.slice(operator.length).trim());
    return like(rest.map(text => ({ text, note: '' })));
  }
  const isWhole = clause.length > 2 || /NULL$/.test(operator);
  if (isWhole) {
    return like([{ text: 'AND', note: '' }]);
  }
  if (/^attr\w*\.status$|^status$/i.test(subject)) {
    return like(STATUSES.map(status => ({ text: `'${status}'`, note: '' })));
  }
  return typeOf(subject) === 'text' && operator !== 'IN' ? like(values(subject, runs)) : [];
}

/** What the runs have there, with how many of them do, the commonest first. */
function values(subject: string, runs: Iterable<RunRow>): IOption[] {
  const column = parseColumn(subject);
  const counts = new Map<string, number>();
  for (const run of column ? runs : []) {
    const value = String(valueOf(run, column!) ?? '');
    // MLflow's language has no way to write such a quote
    if (value && value.length <= LONG && !value.includes("'")) {
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([value, count]) => ({ text: `'${value}'`, note: String(count) }));
}

function typeOf(subject: string): 'number' | 'text' | 'time' {
  if (/^metrics?\./i.test(subject)) {
    return 'number';
  }
  return /_time$/i.test(subject) ? 'time' : 'text';
}

function identifiers(columns: readonly RunColumn[]): IOption[] {
  const kinds: Partial<Record<RunColumn['kind'], ColumnKind>> = {
    metric: 'metrics',
    param: 'params',
    tag: 'tags'
  };
  const known = columns.flatMap(({ kind, key, runs }) => {
    const name = kinds[kind];
    return name ? [{ text: columnName(name, key), note: String(runs) }] : [];
  });
  return [...known, ...ATTRIBUTES.map(key => ({ text: `attributes.${key}`, note: '' }))];
}
