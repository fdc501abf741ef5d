/** Runs as a DataFrame in the notebook in front. */
import type { Query } from './question';

/** The code that searches for the same runs with the SDK: all of them, nested ones, too. */
export function dataFrameCode(experiments: readonly string[], query: Query): string {
  const py = (text: string) => JSON.stringify(text);
  const names = experiments.map(py).join(', ');
  const parts = [experiments.length === 1 ? names : `[${names}]`];
  if (query.filter.trim()) {
    parts.push(`filter=${py(query.filter.trim())}`);
  }
  if (query.order_by?.length) {
    parts.push(`order_by=[${query.order_by.map(py).join(', ')}]`);
  }
  if (query.view && query.view !== 'active') {
    parts.push(`view=${py(query.view)}`);
  }
  parts.push('limit=None');
  const flat = `runs = pj.Workspace().runs.search(${parts.join(', ')}).dataframe()`;
  const call =
    flat.length <= 88
      ? flat
      : `runs = pj.Workspace().runs.search(\n    ${parts.join(',\n    ')},\n).dataframe()`;
  return `import perijove as pj\n\n${call}\nruns`;
}
