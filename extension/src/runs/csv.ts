/** Runs as a table in a file of the browser's. */
import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { guarded } from './actions';
import { looked } from './question';
import type { RunTable } from './table';

/** Milliseconds until it is said that it takes a while. */
const PATIENCE = 1000;
/** Milliseconds until the browser surely has begun to save it. */
const KEPT = 10_000;

/** All runs of the question, with the columns that are shown; nested ones, too: they name their
 * parents. */
export async function downloadCsv(
  table: RunTable,
  title: string,
  trans: TranslationBundle
): Promise<void> {
  let said: string | null = null;
  const waiting = setTimeout(() => {
    const text = trans.__('Writing the runs of %1 as CSV…', title);
    said = Notification.emit(text, 'in-progress', { autoClose: false });
  }, PATIENCE);
  await guarded(async () => {
    const columns = looked(table.columns.map(({ name }) => name));
    const blob = await table.manager.csv(table.search({ columns, parents_only: false }));
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${title.replace(/[^\w.-]+/g, '_')}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
  });
  clearTimeout(waiting);
  if (said !== null) {
    Notification.dismiss(said);
  }
}
