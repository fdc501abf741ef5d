/** What is asked of MLflow for a table of runs: the view of it, without the window that is seen. */
import type { RunSearch, RunsView } from '../api';
import { parseColumn } from './columns';

export type Query = Omit<RunsView, 'name'>;

export interface IOrder {
  name: string;
  descending: boolean;
}

/** What the runs are sorted by; null: newest first. */
export function orderOf(query: Query): IOrder | null {
  const [, name, way] = /^(.*?)(?:\s+(ASC|DESC))?$/is.exec(query.order_by?.[0] ?? '') ?? [];
  const column = name ? parseColumn(name) : null;
  return column && { name: column.name, descending: way?.toUpperCase() === 'DESC' };
}

/** Sorted by a column; by the one that it is sorted by already: the other way, then not. */
export function sortedBy(query: Query, name: string): string[] {
  const kind = parseColumn(name)?.kind;
  const order = orderOf(query);
  const first = kind === 'metrics' || kind === 'attributes';
  if (order?.name !== name) {
    return [`${name} ${first ? 'DESC' : 'ASC'}`];
  }
  return order.descending === first ? [`${name} ${first ? 'ASC' : 'DESC'}`] : [];
}

/** Are nested runs below their parents? In a list that is filtered or sorted each stands alone,
 * and where deleted runs are: a line opens to the active ones only. */
export function isTree(query: Query): boolean {
  const { filter, group_by, view } = query;
  return view === 'active' && !filter.trim() && !orderOf(query) && !group_by;
}

/** The columns to ask for: attributes every run has. */
export function looked(columns: readonly string[]): string[] {
  return columns.filter(name => !name.startsWith('attributes.'));
}

export function searchOf(query: Query, experimentIds: readonly string[]): RunSearch {
  const { filter, order_by, view, columns, group_by } = query;
  return {
    experiment_ids: [...experimentIds],
    filter: filter.trim(),
    order_by: order_by ?? [],
    view,
    columns: columns && looked(group_by ? [...columns, group_by] : columns),
    parents_only: isTree(query)
  };
}

/** What makes two answers pages of one list. */
export function keyOf({ filter, order_by, view, group_by }: Query): string {
  return JSON.stringify([filter.trim(), order_by, view, group_by]);
}
