/** Puts runs into JupyterLab: their tables, each run, their comparison. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  IThemeManager,
  showDialog,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator } from '@jupyterlab/translation';

import { showDocument } from '../components/document';
import { IWorkspace } from '../workspace';
import { addCommands } from './commands';
import type { CompareDocument } from './comparedocument';
import type { RunsDocument } from './document';
import { dataFrameCode } from './insert';
import type { RunDocument } from './rundocument';
import { CommandIDs, EXPERIMENTS_ARGS, PLUGIN_ID } from './tokens';

const CATEGORY = 'Perijove';

export const runsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows the runs of experiments, each run, and runs beside each other.',
  autoStart: true,
  requires: [IWorkspace, ITranslator, IRenderMimeRegistry, IEditorLanguageRegistry],
  optional: [ILayoutRestorer, ICommandPalette, INotebookTracker, IThemeManager],
  activate
};

function activate(
  app: JupyterFrontEnd,
  workspace: IWorkspace,
  translator: ITranslator,
  rendermime: IRenderMimeRegistry,
  languages: IEditorLanguageRegistry,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  notebooks: INotebookTracker | null,
  themes: IThemeManager | null
): void {
  const { commands, shell } = app;
  const { runs, experiments } = workspace;
  const trans = translator.load('perijove');
  const shared = { runs, experiments, commands, rendermime, languages, themes, trans };
  const tables = new WidgetTracker<RunsDocument>({ namespace: 'perijove-runs' });
  const documents = new WidgetTracker<RunDocument>({ namespace: 'perijove-run' });
  const comparisons = new WidgetTracker<CompareDocument>({ namespace: 'perijove-compare' });
  const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

  commands.addCommand(CommandIDs.openRuns, {
    label: trans.__('Open runs…'),
    describedBy: { args: EXPERIMENTS_ARGS },
    execute: async args => {
      let experimentIds = texts(args.experimentIds);
      if (!experimentIds.length) {
        const { chooseExperiment } = await import('./choose');
        experimentIds = await chooseExperiment(experiments, trans);
      }
      if (!experimentIds.length) {
        return;
      }
      // loaded when it is needed first: JupyterLab starts without it
      const { RunsDocument } = await import('./document');
      showDocument(
        shell,
        tables,
        one => one.experimentIds.join() === experimentIds.join(),
        () => {
          const query = (args.query as object | undefined) ?? undefined;
          const made = new RunsDocument({ ...shared, experimentIds, query });
          // the view is there again after a reload
          made.table.queryChanged.connect(() => void tables.save(made));
          return made;
        }
      );
    }
  });

  const open = async (runId: string) => {
    const { RunDocument } = await import('./rundocument');
    showDocument(
      shell,
      documents,
      one => one.runId === runId,
      () => new RunDocument({ ...shared, runId })
    );
  };
  const compare = async (runIds: string[]) => {
    const { CompareDocument } = await import('./comparedocument');
    showDocument(
      shell,
      comparisons,
      one => one.runIds.join() === runIds.join(),
      () => new CompareDocument({ ...shared, runIds })
    );
  };
  const shown = () => {
    const front = shell.currentWidget;
    const run = documents.find(one => one === front);
    return (
      tables.find(one => one === front)?.chosen ??
      comparisons.find(one => one === front)?.runIds ??
      (run ? [run.runId] : [])
    );
  };
  addCommands({ app, manager: runs, trans, shown, open, compare });

  commands.addCommand(CommandIDs.insert, {
    label: trans.__('Insert runs as DataFrame'),
    describedBy: { args: EXPERIMENTS_ARGS },
    isVisible: () => tables.currentWidget !== null,
    execute: async args => {
      const ids = texts(args.experimentIds);
      const table =
        tables.find(one => one.experimentIds.join() === ids.join()) ?? tables.currentWidget;
      const panel = notebooks?.currentWidget;
      if (!table) {
        return;
      }
      if (!panel) {
        await showDialog({
          title: trans.__('Insert as DataFrame'),
          body: trans.__('Open a notebook first: the cell is inserted below its current one.'),
          buttons: [Dialog.okButton()]
        });
        return;
      }
      const { NotebookActions } = await import('@jupyterlab/notebook');
      NotebookActions.insertBelow(panel.content);
      NotebookActions.changeCellType(panel.content, 'code');
      const names = table.experimentIds.map(id => experiments.get(id)?.name ?? id);
      panel.content.activeCell?.model.sharedModel.setSource(
        dataFrameCode(names, table.table.query)
      );
      shell.activateById(panel.id);
    }
  });

  themes?.themeChanged.connect(() => {
    for (const tracker of [tables, documents, comparisons]) {
      tracker.forEach(widget => widget.content.update());
    }
  });
  if (restorer) {
    void restorer.restore(tables, {
      command: CommandIDs.openRuns,
      args: widget => ({
        experimentIds: widget.experimentIds,
        query: { ...widget.table.query } as any
      }),
      name: widget => widget.experimentIds.join('-')
    });
    void restorer.restore(documents, {
      command: CommandIDs.open,
      args: widget => ({ runId: widget.runId }),
      name: widget => widget.runId
    });
    void restorer.restore(comparisons, {
      command: CommandIDs.compare,
      args: widget => ({ runIds: widget.runIds }),
      name: widget => widget.runIds.join('-')
    });
  }
  for (const command of [CommandIDs.openRuns, CommandIDs.insert]) {
    palette?.addItem({ command, category: CATEGORY });
  }
  const { compare: beside, rename, tag, copyId, remove } = CommandIDs;
  for (const command of [beside, rename, tag, copyId, remove]) {
    palette?.addItem({ command, args: { palette: true }, category: CATEGORY });
  }
}
