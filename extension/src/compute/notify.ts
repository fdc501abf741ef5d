/** Says before an instance stops by itself, with a button against it: once for every such stop. */
import type { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { stopNotice } from './format';
import { ComputeManager, comingStop } from './manager';

interface INotice {
  /** The stop it is about. */
  at: number;
  id: string;
  text: string;
}

export function announceStops(
  manager: ComputeManager,
  trans: TranslationBundle,
  keepRunning: (name: string) => Promise<unknown>,
  notifications: Pick<typeof Notification.manager, 'notify' | 'update' | 'dismiss'>
): void {
  const said = new Map<string, INotice>();
  manager.changed.connect(() => {
    for (const [name, notice] of said) {
      const target = manager.get(name);
      if (!target || comingStop(target)?.at !== notice.at) {
        // it was kept, or it has stopped
        said.delete(name);
        notifications.dismiss(notice.id);
      }
    }
    for (const target of manager.targets) {
      const stop = comingStop(target);
      const text = stopNotice(target, trans);
      if (!stop || !text) {
        continue;
      }
      const known = said.get(target.name);
      if (!known) {
        const id = notifications.notify(text, 'warning', {
          autoClose: false,
          actions: [
            {
              label: trans.__('Keep running'),
              displayType: 'accent',
              callback: () => void keepRunning(target.name)
            }
          ]
        });
        said.set(target.name, { at: stop.at, id, text });
      } else if (known.text !== text) {
        known.text = text;
        // what was dismissed is not there any more, and stays away
        notifications.update({ id: known.id, message: text });
      }
    }
  });
}
