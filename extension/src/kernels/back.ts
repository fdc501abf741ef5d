/**
 * Says what became of kernels whose instance was off and runs again. JupyterLab finds that each of
 * them "appears to have died", in a dialog for every notebook; here one word is said for all.
 */
import { Dialog, ISessionContext, Notification } from '@jupyterlab/apputils';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';

import type { Target } from '../api';
import { ComputeManager } from '../compute/manager';

/** Milliseconds within which the Jupyter server finds that kernels ended with their instance. */
const FOUND = 60_000;

/** What to call with the session of each notebook, and with how to know its kernel's instance. */
export function tellWhenBack(
  manager: ComputeManager,
  translator: ITranslator
): (session: ISessionContext, instance: () => string | undefined) => void {
  const trans = translator.load('perijove');
  const states = new Map<string, Target['state']>();
  const back = new Map<string, number>();
  const said = new Map<string, string>();
  manager.changed.connect(() => {
    for (const { name, state } of manager.targets) {
      const before = states.get(name);
      if (state === 'running' && before !== undefined && before !== 'running') {
        back.set(name, Date.now());
      }
      // one that is out of reach keeps its kernels
      states.set(name, state === 'unusable' ? 'running' : state);
    }
  });
  const wasOff = (name: string) =>
    (states.get(name) ?? 'running') !== 'running' || Date.now() - (back.get(name) ?? 0) < FOUND;
  return (session, instance) => {
    session.statusChanged.connect((_, status) => {
      const name = status === 'autorestarting' ? instance() : undefined;
      if (!name || !wasOff(name)) {
        return;
      }
      dismiss(session.session?.path, translator.load('jupyterlab'));
      const known = said.get(name);
      if (!known || !Notification.manager.has(known)) {
        const text = trans.__(
          '%1 was stopped and runs again. Its kernels are new ones: what their variables held is gone.',
          name
        );
        said.set(name, Notification.warning(text, { autoClose: false }));
      }
    });
  };
}

/** The dialog that the notebook has just opened is recognised by its words. */
function dismiss(path: string | undefined, trans: TranslationBundle): void {
  const words = trans.__(
    'The kernel for %1 appears to have died. It will restart automatically.',
    path
  );
  Dialog.tracker
    .filter(dialog => dialog.node.textContent?.includes(words) ?? false)
    .forEach(dialog => dialog.reject());
}
