/** The verbs on experiments, as commands; the section is in the left panel. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, ICommandPalette, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { ITranslator } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { ApiError, Experiment } from '../api';
import { confirm } from '../components/confirm';
import { CommandIDs as RunCommands } from '../runs/tokens';
import { IWorkspace } from '../workspace';
import { CommandIDs, EXPERIMENT_ARGS, PLUGIN_ID } from './tokens';

const CATEGORY = 'Perijove';

export const experimentsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Makes, renames, deletes and restores experiments.',
  autoStart: true,
  requires: [IWorkspace, ITranslator],
  optional: [ICommandPalette],
  activate
};

function activate(
  app: JupyterFrontEnd,
  workspace: IWorkspace,
  translator: ITranslator,
  palette: ICommandPalette | null
): void {
  const { commands } = app;
  const manager = workspace.experiments;
  const trans = translator.load('perijove');
  const idOf = (args: ReadonlyPartialJSONObject): string | undefined => {
    const row = app.contextMenuHitTest(node => Boolean(node.dataset.experimentId));
    return (args.experimentId as string | undefined) ?? row?.dataset.experimentId;
  };
  const experimentOf = (args: ReadonlyPartialJSONObject) => {
    const id = idOf(args);
    return id ? manager.get(id) : undefined;
  };
  const guarded = async (title: string, act: () => Promise<unknown> | void) => {
    try {
      await act();
    } catch (error) {
      const { text, message } = error as Partial<ApiError> & Error;
      await showErrorMessage(title, text ?? message);
    }
  };
  const verb = (
    id: string,
    label: string,
    act: (experiment: Experiment) => Promise<unknown> | void,
    can: (experiment: Experiment) => boolean = () => true
  ) =>
    commands.addCommand(id, {
      label,
      describedBy: { args: EXPERIMENT_ARGS },
      isVisible: args => {
        const experiment = experimentOf(args);
        return experiment ? can(experiment) : false;
      },
      execute: async args => {
        const experiment = experimentOf(args);
        if (experiment && can(experiment)) {
          await guarded(label, () => act(experiment));
        }
      }
    });
  const isActive = (experiment: Experiment) => experiment.lifecycle_stage === 'active';
  const open = (experimentId: string) =>
    commands.execute(RunCommands.openRuns, { experimentIds: [experimentId] });

  verb(CommandIDs.open, trans.__('Open runs'), experiment => open(experiment.id));
  verb(
    CommandIDs.rename,
    trans.__('Rename…'),
    async experiment => (await import('./form')).askExperiment(manager, trans, experiment),
    isActive
  );
  verb(CommandIDs.copyId, trans.__('Copy experiment id'), ({ id }) => {
    Clipboard.copyToSystem(id);
  });
  verb(
    CommandIDs.remove,
    trans.__('Delete…'),
    async experiment => {
      const isMeant = await confirm({
        title: trans.__('Delete %1?', experiment.name),
        body: trans.__('Its runs go with it. Both can be restored; the name stays taken.'),
        accept: trans.__('Delete')
      });
      if (isMeant) {
        await manager.delete(experiment.id);
        Notification.info(trans.__('%1 was deleted.', experiment.name), {
          autoClose: 8000,
          actions: [
            {
              label: trans.__('Undo'),
              callback: () =>
                void guarded(trans.__('Restore'), () => manager.restore(experiment.id))
            }
          ]
        });
      }
    },
    experiment => isActive(experiment) && experiment.id !== '0'
  );
  verb(
    CommandIDs.restore,
    trans.__('Restore'),
    experiment => manager.restore(experiment.id),
    experiment => !isActive(experiment)
  );
  commands.addCommand(CommandIDs.create, {
    label: trans.__('Create experiment…'),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () =>
      guarded(trans.__('Create experiment'), async () => {
        const { askExperiment } = await import('./form');
        const made = await askExperiment(manager, trans);
        if (made) {
          await open(made.id);
        }
      })
  });
  palette?.addItem({ command: CommandIDs.create, category: CATEGORY });
}
