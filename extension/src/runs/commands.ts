/** The verbs on runs, as commands: for the menu of a row, and for the palette. */
import { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { RunManager } from './manager';
import { CommandIDs, RUNS_ARGS } from './tokens';

export interface IRunCommandOptions {
  app: JupyterFrontEnd;
  manager: RunManager;
  trans: TranslationBundle;
  /** The runs that the document in front is about; of a table those chosen. */
  shown(): string[];
  open(runId: string): Promise<void>;
  compare(runIds: string[]): Promise<void>;
}

export function addCommands(options: IRunCommandOptions): void {
  const { app, manager, trans } = options;
  const { commands } = app;
  // loaded when it is needed first: JupyterLab starts without it
  const actions = () => import('./actions');

  /** The runs that are meant: named, under the mouse and chosen with it, or in front. */
  const meant = (args: ReadonlyPartialJSONObject): string[] => {
    if (args.runId || args.runIds) {
      return [args.runIds ?? args.runId].flat().map(String);
    }
    const shown = options.shown();
    if (args.palette) {
      return shown;
    }
    const row = app.contextMenuHitTest(node => Boolean(node.dataset.runId))?.dataset;
    return !row?.runId ? [] : shown.includes(row.runId) ? shown : [row.runId];
  };
  const isDeleted = () =>
    Boolean(app.contextMenuHitTest(node => node.classList.contains('jp-mod-deleted')));
  const verb = (
    id: string,
    label: string | ((count: number) => string),
    act: (runIds: string[]) => Promise<unknown>,
    can: (runIds: string[], args: ReadonlyPartialJSONObject) => boolean = ids => ids.length > 0
  ) =>
    commands.addCommand(id, {
      label: args =>
        typeof label === 'string' ? label : label(args.palette ? 2 : meant(args).length),
      describedBy: { args: RUNS_ARGS },
      isVisible: args => can(meant(args), args),
      execute: async args => {
        const runIds = meant(args);
        if (runIds.length) {
          await act(runIds);
        }
      }
    });
  const isOne = (runIds: string[]) => runIds.length === 1;

  verb(CommandIDs.open, trans.__('Open run'), ([runId]) => options.open(runId), isOne);
  verb(
    CommandIDs.compare,
    trans.__('Compare runs'),
    runIds => options.compare(runIds.slice(0, 50)),
    runIds => runIds.length > 1 && runIds.length <= 50
  );
  verb(
    CommandIDs.rename,
    trans.__('Rename run…'),
    async ([runId]) => (await actions()).renameRun(manager, runId, trans),
    isOne
  );
  verb(
    CommandIDs.tag,
    count => trans._n('Tag run…', 'Tag runs…', count),
    async runIds => {
      const [{ guarded }, { askTag }] = await Promise.all([actions(), import('./tagform')]);
      await guarded(() => askTag(manager, runIds, trans));
    }
  );
  verb(
    CommandIDs.copyId,
    trans.__('Copy run id'),
    async ([runId]) => Clipboard.copyToSystem(runId),
    isOne
  );
  verb(
    CommandIDs.remove,
    count => trans._n('Delete run', 'Delete runs', count),
    async runIds => (await actions()).deleteRuns(manager, runIds, trans),
    (runIds, args) => runIds.length > 0 && (Boolean(args.palette) || !isDeleted())
  );
  verb(
    CommandIDs.restore,
    count => trans._n('Restore run', 'Restore runs', count),
    async runIds => (await actions()).guarded(() => manager.restore(runIds)),
    (runIds, args) => runIds.length > 0 && !args.palette && isDeleted()
  );
}
