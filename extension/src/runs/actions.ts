/** What is asked and said around the verbs on runs. */
import { InputDialog, Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { ApiError } from '../api';
import type { RunManager } from './manager';
import type { Selection } from './selection';
import type { RunTable } from './table';

/** Do it; what it throws is said until it is dismissed. True: it is done. */
export async function guarded(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (reason) {
    const text = reason instanceof ApiError ? reason.text : String((reason as Error).message);
    Notification.error(text, { autoClose: false });
    return false;
  }
}

/** Select every run of the table, and say so if they are too many. */
export async function selectAll(
  table: RunTable,
  selection: Selection,
  trans: TranslationBundle
): Promise<void> {
  await guarded(async () => {
    const { runs, total } = await table.all();
    selection.set(runs.map(run => run.run_id));
    if (runs.length < total) {
      const [some, all] = [runs.length.toLocaleString(), total.toLocaleString()];
      Notification.warning(
        trans.__('The first %1 of %2 runs are selected: more at once are too many.', some, all),
        { autoClose: 10000 }
      );
    }
  });
}

/** Delete runs, and offer to have them back. */
export async function deleteRuns(
  manager: RunManager,
  runIds: string[],
  trans: TranslationBundle
): Promise<boolean> {
  const isDone = await guarded(() => manager.delete(runIds));
  if (isDone) {
    Notification.info(trans._n('%1 run was deleted.', '%1 runs were deleted.', runIds.length), {
      autoClose: 10000,
      actions: [
        {
          label: trans.__('Undo'),
          callback: () => void guarded(() => manager.restore(runIds))
        }
      ]
    });
  }
  return isDone;
}

/** Ask for a new name of a run. */
export async function renameRun(
  manager: RunManager,
  runId: string,
  trans: TranslationBundle
): Promise<void> {
  await guarded(async () => {
    const { name } = await manager.get(runId);
    const answer = await InputDialog.getText({
      title: trans.__('Rename %1', name),
      text: name,
      okLabel: trans.__('Rename')
    });
    const wanted = answer.value?.trim();
    if (answer.button.accept && wanted && wanted !== name) {
      await manager.change(runId, { name: wanted });
    }
  });
}
