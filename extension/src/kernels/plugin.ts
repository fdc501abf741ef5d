/** Puts kernels on instances into JupyterLab: into the picker, the toolbar, notifications. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISessionContext, IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator } from '@jupyterlab/translation';

/* eslint-disable jupyter/prefer-lazy-imports -- activation makes these at once */
import { repeated } from '../components/repeated';
import { CommandIDs } from '../compute/tokens';
import { IWorkspace } from '../workspace';
import { tellWhenBack } from './back';
import { KernelFigures } from './figures';
import { KernelItem } from './item';
import { tellWhenOff } from './off';
import { instances, placeOf } from './place';
import { notifyOfStarts } from './starts';
import { isTold } from './told';
import { PLUGIN_ID, TOOLBAR_ITEM } from './tokens';
import { setTracked } from './tracked';
/* eslint-enable jupyter/prefer-lazy-imports */

/** Milliseconds between two looks whether the hub has written the kernelspecs after a change. */
const SETTLE = 1000;
/** Looks, at most: it may not be able to write them. */
const LOOKS = 15;

export const kernelsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows where kernels on instances run, and what they use there.',
  autoStart: true,
  requires: [IWorkspace, ITranslator],
  optional: [IToolbarWidgetRegistry, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    workspace: IWorkspace,
    translator: ITranslator,
    toolbars: IToolbarWidgetRegistry | null,
    notebooks: INotebookTracker | null
  ): void => {
    const { compute } = workspace;
    const { kernelspecs, serverSettings } = app.serviceManager;
    const trans = translator.load('perijove');
    const figures = new KernelFigures(serverSettings);
    setTracked(() => {
      const name = notebooks?.currentWidget?.sessionContext.session?.kernel?.name ?? '';
      return placeOf(kernelspecs.specs?.kernelspecs[name]) !== null;
    });
    toolbars?.addFactory<NotebookPanel>(
      'Notebook',
      TOOLBAR_ITEM,
      panel =>
        new KernelItem({
          session: panel.sessionContext,
          specs: kernelspecs,
          compute,
          figures,
          trans,
          open: name => void app.commands.execute(CommandIDs.open, { name })
        })
    );

    let known = '';
    const names = new Set<string>();
    let stop = () => {};
    compute.changed.connect(() => {
      const now = compute.targets.map(({ name, state }) => `${name} ${state}`).join();
      if (now !== known) {
        known = now;
        compute.targets.forEach(({ name }) => names.add(name));
        let left = LOOKS;
        stop();
        stop = repeated(async () => {
          await kernelspecs.refreshSpecs().catch(console.warn);
          return --left > 0 && !isTold(kernelspecs.specs, compute.targets, names);
        }, SETTLE);
      }
    });
    const tell = tellWhenOff(
      compute,
      name => void app.commands.execute(CommandIDs.start, { name }),
      trans
    );
    const instanceOf = (session: ISessionContext) => {
      const kernel = session.session?.kernel;
      return (kernel && placeOf(kernelspecs.specs?.kernelspecs[kernel.name]))?.instance;
    };
    NotebookActions.executionScheduled.connect((_, { notebook }) => {
      const panel = notebook.parent;
      const instance = panel instanceof NotebookPanel && instanceOf(panel.sessionContext);
      if (instance) {
        tell(instance);
      }
    });
    const watch = tellWhenBack(compute, translator);
    notebooks?.widgetAdded.connect((_, { sessionContext }) =>
      watch(sessionContext, () => instanceOf(sessionContext))
    );
    notifyOfStarts(compute, name => instances(kernelspecs.specs).includes(name), trans);
  }
};
