/** What is asked and said around the verbs on runs. */
import { InputDialog, Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { ApiError } from '../api';
import type { RunManager } from './manager';

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
