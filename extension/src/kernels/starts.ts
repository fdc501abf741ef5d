/** Says that an instance starts, until it runs: a kernel that was chosen on it waits for that. */
import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { ComputeManager } from '../compute/manager';

const DONE = 3000;

export function notifyOfStarts(
  manager: ComputeManager,
  isInstance: (name: string) => boolean,
  trans: TranslationBundle
): void {
  const said = new Map<string, string>();
  manager.changed.connect(() => {
    for (const { name, state } of manager.targets) {
      const id = said.get(name);
      const begins = state === 'starting' || state === 'restarting';
      if (begins && !id && isInstance(name)) {
        const text = trans.__('Starting %1…', name);
        said.set(name, Notification.emit(text, 'in-progress', { autoClose: false }));
      } else if (id && !begins) {
        said.delete(name);
        if (state === 'running') {
          const message = trans.__('%1 runs.', name);
          Notification.update({ id, message, type: 'success', autoClose: DONE });
        } else {
          // why it failed is said where targets are
          Notification.dismiss(id);
        }
      }
    }
  });
}
