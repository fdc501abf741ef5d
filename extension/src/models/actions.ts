/** What happens when a verb is chosen: questions before it, words when it was refused. */
import { Dialog, InputDialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { ApiError } from '../api';
import { confirm } from '../components/confirm';
import { ModelManager } from './manager';

/** Do it; what it throws is said in a dialog. */
export async function guarded(title: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    const text = error instanceof ApiError ? error.text : String((error as Error).message);
    await showErrorMessage(title, text);
  }
}

/** Ask which of the models; null when that was dismissed. */
export async function chooseModel(
  title: string,
  manager: ModelManager,
  trans: TranslationBundle
): Promise<string | null> {
  await manager.refresh();
  if (!manager.items.length) {
    await showDialog({
      title,
      body: trans.__('There is no registered model yet.'),
      buttons: [Dialog.okButton()]
    });
    return null;
  }
  const items = manager.items.map(model => model.name);
  return (await InputDialog.getItem({ title, items })).value;
}

/** Delete a model, or one version, after a question that says what uses it. */
export async function deleteModel(
  manager: ModelManager,
  trans: TranslationBundle,
  name: string,
  version?: string
): Promise<boolean> {
  const uses = await manager.uses(name, version);
  const what =
    version === undefined
      ? trans.__('the model %1', name)
      : trans.__('%1 version %2', name, version);
  const lines = [
    version === undefined
      ? trans.__('All of its versions go with it.')
      : trans.__('Its number is not given again.'),
    uses.length
      ? trans.__('It is used by: %1.', uses.map(use => `${use.kind} ${use.label}`).join('; '))
      : trans.__('Nothing that is known here uses it.'),
    trans.__('This cannot be undone; archiving can.')
  ];
  const isMeant = await confirm({
    title: trans.__('Delete %1?', what),
    body: lines.join(' '),
    accept: uses.length ? trans.__('Delete anyway') : trans.__('Delete')
  });
  if (!isMeant) {
    return false;
  }
  try {
    await manager.delete(name, version, uses.length > 0);
  } catch (error) {
    // something began to use it while the question stood
    if (error instanceof ApiError && error.code === 'conflict' && !uses.length) {
      return deleteModel(manager, trans, name, version);
    }
    throw error;
  }
  return true;
}

/** Ask for a new name. */
export async function renameModel(
  manager: ModelManager,
  trans: TranslationBundle,
  name: string
): Promise<string | null> {
  const answer = await InputDialog.getText({
    title: trans.__('Rename %1', name),
    text: name,
    okLabel: trans.__('Rename')
  });
  const wanted = answer.value?.trim();
  if (!answer.button.accept || !wanted || wanted === name) {
    return null;
  }
  return (await manager.change(name, { name: wanted })).name;
}
