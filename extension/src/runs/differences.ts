/** What differs between runs. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { RunRow } from '../api';
import type { IAxis } from '../components/parallel';
import { isNumeric, toNumber, type ColumnKind } from './columns';
import { fullTitle, kindText } from './format';

export interface IDifference {
  kind: 'metrics' | 'params' | 'tags';
  key: string;
  /** One for each run; null: it has none. */
  values: (string | number | null)[];
  differs: boolean;
}

/** All that the runs have of a kind, in order, and whether it is the same in all of them. */
export function compare(runs: readonly RunRow[], kind: IDifference['kind']): IDifference[] {
  const keys = [...new Set(runs.flatMap(run => Object.keys(run[kind] ?? {})))].sort();
  return keys.map(key => {
    const values = runs.map(run => run[kind]?.[key] ?? null);
    return { kind, key, values, differs: new Set(values.map(String)).size > 1 };
  });
}

/** Axes for what differs: parameters, then metrics; no more than there is room for. One whose
 * value is the same in all that have it says nothing. */
export function axesOf(
  runs: readonly RunRow[],
  metrics: readonly string[],
  trans: TranslationBundle,
  most = 8
): IAxis[] {
  const axis = (kind: ColumnKind, key: string, values: IAxis['values']): IAxis => ({
    name: fullTitle({ kind, key }, trans),
    label: key,
    kind: kindText(kind, trans),
    values
  });
  const differs = ({ values }: IAxis) => new Set(values.filter(value => value !== null)).size > 1;
  const params = compare(runs, 'params')
    .map(({ key, values }) =>
      axis('params', key, isNumeric(values) ? values.map(numberOrNull) : values)
    )
    .filter(differs);
  const measured = metrics
    .map(key => {
      const values = runs.map(run => numberOrNull(run.metrics?.[key] ?? null));
      return axis('metrics', key, values);
    })
    .filter(differs);
  return [...params.slice(0, Math.max(0, most - measured.length)), ...measured];
}

function numberOrNull(value: string | number | null): number | null {
  const number = toNumber(value);
  return Number.isFinite(number) ? number : null;
}
