/** How runs' values are put into few words. */
import type { RunRow, RunStatus } from '../api';
import type { Tone } from '../components/state';
import { duration, figure } from '../jobs/format';

/** Which of the five colours a run's status has. */
export function runTone(status: RunStatus): Tone {
  const tones: Record<RunStatus, Tone> = {
    RUNNING: 'running',
    SCHEDULED: 'waiting',
    FINISHED: 'ok',
    FAILED: 'error',
    KILLED: 'canceled'
  };
  return tones[status];
}

export function valueText(value: number | string | null | undefined): string {
  return value === null || value === undefined
    ? '–'
    : typeof value === 'number'
      ? figure(value)
      : value;
}

/** A column as MLflow writes it: the kind, and the key without its quotes. */
export function splitColumn(column: string): [string, string] {
  const at = column.indexOf('.');
  return [column.slice(0, at), column.slice(at + 1).replace(/^[`"]|[`"]$/g, '')];
}

/** What a run has in a column; undefined: nothing. */
export function cell(run: RunRow, column: string): number | string | null | undefined {
  const [kind, key] = splitColumn(column);
  switch (kind) {
    case 'metrics':
      return run.metrics?.[key];
    case 'params':
      return run.params?.[key];
    case 'tags':
      return run.tags?.[key];
    default:
      return attribute(run, key);
  }
}

function attribute(run: RunRow, key: string): string | null | undefined {
  switch (key) {
    case 'start_time':
      return run.started_at && new Date(run.started_at).toLocaleString();
    case 'duration':
      return run.duration === null || run.duration === undefined ? null : duration(run.duration);
    case 'status':
      return run.status.toLowerCase();
    default:
      return (run as unknown as Record<string, string>)[key];
  }
}

/** The order that a click on a column's head asks for: descending, ascending, none. */
export function nextOrder(order: readonly string[], column: string): string[] {
  switch (direction(order, column)) {
    case 'DESC':
      return [`${column} ASC`];
    case 'ASC':
      return [];
    default:
      return [`${column} DESC`];
  }
}

/** Which way the column is sorted first; null: by something else. */
export function direction(order: readonly string[], column: string): 'ASC' | 'DESC' | null {
  const first = order[0] ?? '';
  const [, name, way] = /^(.*?)(?:\s+(asc|desc))?$/i.exec(first) ?? [];
  return name === column ? ((way ?? 'ASC').toUpperCase() as 'ASC' | 'DESC') : null;
}
