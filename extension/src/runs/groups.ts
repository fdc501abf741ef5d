/** Runs by their value in a column, each group below a line of its own. */
import type { RunRow } from '../api';
import { toNumber, valueOf, type IColumn } from './columns';

export interface IGroup {
  value: string | null;
  runs: RunRow[];
  running: number;
}

/** A line of the table. */
export type Line =
  | { kind: 'run'; run: RunRow; depth: number }
  | { kind: 'group'; group: IGroup; open: boolean }
  | { kind: 'missing' };

/** What a line is called, where the keyboard is at it; null: it was not fetched yet. */
export function keyOf(line: Line): string | null {
  switch (line.kind) {
    case 'run':
      return line.run.run_id;
    case 'group':
      return `group ${line.group.value}`;
    default:
      return null;
  }
}

/** The id of its element. */
export function idOf(key: string): string {
  return `jp-perijove-run-${encodeURIComponent(key)}`;
}

/** The lines of groups, of which some are closed. */
export class Groups {
  /** Null: the table is not grouped. */
  get lines(): readonly Line[] | null {
    return this._lines;
  }

  /** What is closed stays so when the groups are read anew. */
  set(groups: readonly IGroup[] | null): void {
    this._groups = groups;
    this._flatten();
  }

  toggle(value: string | null): void {
    const key = String(value);
    if (!this._closed.delete(key)) {
      this._closed.add(key);
    }
    this._flatten();
  }

  private _flatten(): void {
    this._lines =
      this._groups?.flatMap((found): Line[] => {
        const open = !this._closed.has(String(found.value));
        const runs = open ? found.runs.map(run => ({ kind: 'run' as const, run, depth: 0 })) : [];
        return [{ kind: 'group', group: found, open }, ...runs];
      }) ?? null;
  }

  private _closed = new Set<string>();
  private _groups: readonly IGroup[] | null = null;
  private _lines: Line[] | null = null;
}

/** Runs by their value in a column: numbers in order, then texts, then those without. */
export function group(runs: readonly RunRow[], column: IColumn): IGroup[] {
  const groups = new Map<string | null, IGroup>();
  for (const run of runs) {
    const found = valueOf(run, column);
    const value = found === null ? null : String(found);
    const known = groups.get(value) ?? { value, runs: [], running: 0 };
    known.runs.push(run);
    known.running += run.status === 'RUNNING' ? 1 : 0;
    groups.set(value, known);
  }
  return [...groups.values()].sort((a, b) =>
    a.value === null ? 1 : b.value === null ? -1 : byValue(a.value, b.value)
  );
}

function byValue(a: string, b: string): number {
  const [x, y] = [toNumber(a), toNumber(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? (a < b ? -1 : 1) : x - y;
}
