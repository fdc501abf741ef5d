/** How runs are put into few words. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { MetricValue, RunRow, RunStatus } from '../api';
import type { Tone } from '../components/state';
import { ago, duration, figure } from '../jobs/format';
import { toNumber, type ColumnKind, type IColumn } from './columns';

export { ago, duration, figure };

export function tone(status: RunStatus): Tone {
  const tones: Record<RunStatus, Tone> = {
    RUNNING: 'running',
    SCHEDULED: 'waiting',
    FINISHED: 'ok',
    FAILED: 'error',
    KILLED: 'canceled'
  };
  return tones[status] ?? 'waiting';
}

export function statusText(status: RunStatus, trans: TranslationBundle): string {
  switch (status) {
    case 'RUNNING':
      return trans.__('running');
    case 'SCHEDULED':
      return trans.__('scheduled');
    case 'FINISHED':
      return trans.__('finished');
    case 'FAILED':
      return trans.__('failed');
    default:
      return trans.__('killed');
  }
}

/** Seconds it took, or has taken. */
export function took(run: RunRow, now = Date.now()): number | null {
  if (run.status === 'RUNNING' && run.started_at) {
    return Math.max(0, (now - Date.parse(run.started_at)) / 1000);
  }
  return run.duration ?? null;
}

/** A metric as a figure; what is not finite as JSON has it. */
export function metricText(value: MetricValue | null | undefined): string {
  return value === null || value === undefined ? '–' : figure(toNumber(value));
}

/** A value under its column. */
export function cellText(
  run: RunRow,
  column: IColumn,
  trans: TranslationBundle,
  now: number
): string {
  switch (column.kind) {
    case 'metrics':
      return metricText(run.metrics?.[column.key]);
    case 'params':
      return run.params?.[column.key] ?? '–';
    case 'tags':
      return run.tags?.[column.key] ?? '';
    default:
      break;
  }
  const seconds = took(run, now);
  switch (column.key) {
    case 'start_time':
      return run.started_at ? ago(run.started_at, trans, now) : '–';
    case 'duration':
      return seconds === null ? '–' : duration(seconds);
    case 'user':
      return run.user ?? '';
    case 'source':
      return run.source?.split('/').pop() ?? '';
    default:
      return '';
  }
}

export function kindText(kind: ColumnKind, trans: TranslationBundle): string {
  const texts: Record<ColumnKind, string> = {
    metrics: trans.__('metric'),
    params: trans.__('parameter'),
    tags: trans.__('tag'),
    attributes: trans.__('attribute')
  };
  return texts[kind];
}

/** A key, and what it is one of: a parameter and a metric may have the same. */
export function fullTitle(column: Pick<IColumn, 'kind' | 'key'>, trans: TranslationBundle): string {
  return trans.__('%1 (%2)', column.key, kindText(column.kind, trans));
}

/** What stands above columns: of what kind they are only where the same would stand twice. */
export function columnTitles(
  columns: readonly Pick<IColumn, 'kind' | 'key'>[],
  trans: TranslationBundle
): string[] {
  const titles = columns.map(column => columnTitle(column, trans));
  return titles.map((title, at) =>
    titles.indexOf(title) === titles.lastIndexOf(title) ? title : fullTitle(columns[at], trans)
  );
}

/** What stands above a column. */
export function columnTitle(
  column: Pick<IColumn, 'kind' | 'key'>,
  trans: TranslationBundle
): string {
  if (column.kind !== 'attributes') {
    return column.key;
  }
  const titles: Record<string, string> = {
    start_time: trans.__('started'),
    duration: trans.__('took'),
    user: trans.__('user'),
    source: trans.__('source'),
    status: trans.__('status')
  };
  return titles[column.key] ?? column.key;
}
