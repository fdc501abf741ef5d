/** Puts jobs into JupyterLab. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IThemeManager, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator } from '@jupyterlab/translation';

import { showDocument } from '../components/document';
import { perijoveIcon } from '../components/icons';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- the left bar has it from the beginning
import { PerijovePanel } from '../panel';
import { IWorkspace } from '../workspace';
import { addCommands } from './commands';
import type { JobDocument } from './document';
import { Folds } from './folds';
import { notifyOfEnds } from './notify';
import { addToRunning } from './running';
import { StatusItem } from './statusitem';
import { CommandIDs, JOB_ARGS, PLUGIN_ID } from './tokens';

const CATEGORY = 'Perijove';

export const jobsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Runs notebooks as jobs and shows them while they run.',
  autoStart: true,
  requires: [IWorkspace, ITranslator, IRenderMimeRegistry, IEditorLanguageRegistry],
  optional: [
    ILayoutRestorer,
    ICommandPalette,
    INotebookTracker,
    IDefaultFileBrowser,
    IThemeManager,
    ISettingRegistry,
    IRunningSessionManagers,
    IStatusBar,
    IStateDB
  ],
  activate
};

async function activate(
  app: JupyterFrontEnd,
  workspace: IWorkspace,
  translator: ITranslator,
  rendermime: IRenderMimeRegistry,
  languages: IEditorLanguageRegistry,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  notebooks: INotebookTracker | null,
  browser: IDefaultFileBrowser | null,
  themes: IThemeManager | null,
  registry: ISettingRegistry | null,
  running: IRunningSessionManagers | null,
  statusBar: IStatusBar | null,
  state: IStateDB | null
): Promise<void> {
  const { commands, shell } = app;
  const { jobs: manager, compute, runs } = workspace;
  const trans = translator.load('perijove');
  const { contents } = app.serviceManager;
  const views = { rendermime, languages, themes, trans };
  const shared = { manager, contents, compute, runs, commands, ...views };
  const tracker = new WidgetTracker<JobDocument>({ namespace: 'perijove-jobs' });

  const open = async (jobId: string) => {
    // loaded when it is needed first: JupyterLab starts without it
    const { JobDocument } = await import('./document');
    showDocument(
      shell,
      tracker,
      document => document.jobId === jobId,
      () => new JobDocument({ jobId, ...shared })
    );
  };
  themes?.themeChanged.connect(() => tracker.forEach(document => document.content.update()));

  const panel = new PerijovePanel(workspace, commands, new Folds(state), trans);
  panel.id = 'perijove-panel';
  panel.title.icon = perijoveIcon;
  panel.title.caption = trans.__('Perijove');
  shell.add(panel, 'left', { rank: 210 });

  // a restored document opens before settings are there: the command must be known by then
  commands.addCommand('perijove:restore-job', {
    describedBy: { args: JOB_ARGS },
    execute: args => open(args.jobId as string)
  });
  if (restorer) {
    restorer.add(panel, panel.id);
    void restorer.restore(tracker, {
      command: 'perijove:restore-job',
      args: document => ({ jobId: document.jobId }),
      name: document => document.jobId
    });
  }
  commands.addCommand(CommandIDs.showPanel, {
    label: trans.__('Show jobs'),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => shell.activateById(panel.id)
  });

  let settings: ISettingRegistry.ISettings | null = null;
  try {
    settings = (await registry?.load(PLUGIN_ID)) ?? null;
  } catch (error) {
    console.warn('Perijove goes on with its default settings.', error);
  }
  addCommands({ app, manager, compute, trans, notebooks, browser, settings, open });
  notifyOfEnds(manager, settings, trans, open);
  for (const command of [CommandIDs.runOn, CommandIDs.showPanel]) {
    palette?.addItem({ command, category: CATEGORY });
  }
  if (running) {
    addToRunning(running, manager, commands, trans);
  }
  if (statusBar) {
    const item = new StatusItem(manager, trans, () => shell.activateById(panel.id));
    statusBar.registerStatusItem('perijove:status', { item, align: 'left', rank: 5 });
  }
}
