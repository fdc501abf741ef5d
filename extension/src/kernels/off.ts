/** Says that a cell does not run because its instance is off: Jupyter says nothing. */
import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { stateText } from '../compute/format';
import { ComputeManager, isOff } from '../compute/manager';

/** What to call with the instance of each cell that is run. */
export function tellWhenOff(
  manager: ComputeManager,
  start: (name: string) => void,
  trans: TranslationBundle
): (name: string) => void {
  const said = new Map<string, string>();
  manager.changed.connect(() => {
    for (const [name, id] of said) {
      const target = manager.get(name);
      if (!target || !isOff(target)) {
        said.delete(name);
        Notification.dismiss(id);
      }
    }
  });
  return name => {
    const target = manager.get(name);
    const known = said.get(name);
    if (!target || !isOff(target) || (known && Notification.manager.has(known))) {
      return;
    }
    const text = trans.__(
      '%1 is %2: its kernels and their variables are gone. Start it, and run the cells again then.',
      name,
      stateText(target, trans)
    );
    const actions = [{ label: trans.__('Start %1', name), callback: () => start(name) }];
    said.set(name, Notification.warning(text, { autoClose: false, actions }));
  };
}
