/** Columns of a table of runs, by MLflow's names for them. */
import type { MetricValue, RunRow } from '../api';

export type ColumnKind = 'metrics' | 'params' | 'tags' | 'attributes';

export interface IColumn {
  /** As MLflow's filter language writes it. */
  name: string;
  kind: ColumnKind;
  key: string;
}

/** Attributes that may be columns, and whether MLflow can sort by them. */
export const ATTRIBUTES: Record<string, { sortable: boolean; width: number }> = {
  start_time: { sortable: true, width: 104 },
  duration: { sortable: false, width: 96 },
  user: { sortable: false, width: 90 },
  source: { sortable: false, width: 140 }
};

/** The column that is always there, in the widths of a view. */
export const NAME = 'attributes.run_name';

/** What is shown of each kind where nothing was chosen. */
const SHOWN = { metrics: 6, params: 6 };

/** `metrics.auc`; keys that MLflow would misread are quoted. */
export function columnName(kind: ColumnKind, key: string): string {
  if (/^[A-Za-z_]\w*$/.test(key)) {
    return `${kind}.${key}`;
  }
  const quote = key.includes('`') ? '"' : '`';
  return `${kind}.${quote}${key}${quote}`;
}

/** The column of a name; null: it is none. */
export function parseColumn(name: string): IColumn | null {
  const found = /^(metrics?|params?|parameters?|tags?|attributes?|attr)\.(.+)$/s.exec(name.trim());
  if (!found) {
    return null;
  }
  const kind: ColumnKind = found[1].startsWith('m')
    ? 'metrics'
    : found[1].startsWith('p')
      ? 'params'
      : found[1].startsWith('t')
        ? 'tags'
        : 'attributes';
  const key = found[2].replace(/^([`"])(.*)\1$/s, '$2');
  return { kind, key, name: columnName(kind, key) };
}

/** The columns of rows where nothing was chosen: what most of them have. */
export function defaultColumns(rows: readonly RunRow[]): string[] {
  const common = (kind: 'metrics' | 'params') => {
    const counts = new Map<string, number>();
    for (const row of rows) {
      for (const key of Object.keys(row[kind] ?? {})) {
        if (!key.startsWith('system/')) {
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
    }
    return [...counts]
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
      .slice(0, SHOWN[kind])
      .map(([key]) => columnName(kind, key));
  };
  return [
    'attributes.start_time',
    'attributes.duration',
    ...common('metrics'),
    ...common('params')
  ];
}

/** The names with the one at `from` moved before the one that is at `to`. */
export function moved(names: readonly string[], from: number, to: number): string[] {
  const at = Math.max(0, to > from ? to - 1 : to);
  const rest = names.filter((_, index) => index !== from);
  return [...rest.slice(0, at), names[from], ...rest.slice(at)];
}

/** What a run has in a column. */
export function valueOf(run: RunRow, column: IColumn): MetricValue | string | null {
  switch (column.kind) {
    case 'metrics':
      return run.metrics?.[column.key] ?? null;
    case 'params':
      return run.params?.[column.key] ?? null;
    case 'tags':
      return run.tags?.[column.key] ?? null;
    default:
      return attribute(run, column.key);
  }
}

function attribute(run: RunRow, key: string): string | number | null {
  const values: Record<string, string | number | null | undefined> = {
    start_time: run.started_at,
    end_time: run.ended_at,
    duration: run.duration,
    user: run.user,
    source: run.source,
    status: run.status,
    run_name: run.name,
    run_id: run.run_id
  };
  return values[key] ?? null;
}

/** A metric as JSON has it, as a number: "NaN" and the infinities are texts there. */
export function toNumber(value: MetricValue | string | null | undefined): number {
  return value === null || value === undefined || value === '' ? NaN : Number(value);
}

/** Can all that there is be read as numbers? */
export function isNumeric(values: readonly (MetricValue | string | null | undefined)[]): boolean {
  const known = values.filter(value => value !== null && value !== undefined && value !== '');
  return known.length > 0 && known.every(value => !Number.isNaN(Number(value)) || value === 'NaN');
}
