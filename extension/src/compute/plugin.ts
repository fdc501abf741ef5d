/** Puts compute targets into JupyterLab. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Target } from '../api';
import { showDocument } from '../components/document';
import { attachedIcon, instanceIcon } from '../components/icons';
import { IWorkspace } from '../workspace';
import type { IActionOptions } from './actions';
import type { ComputeDocument } from './document';
import { comingStop, isMachine, type Verb } from './manager';
import { announceStops } from './notify';
import { CommandIDs, NEW_TERMINAL, PLUGIN_ID } from './tokens';

export const computePlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows compute targets, and creates, starts, stops, scales and deletes them.',
  autoStart: true,
  requires: [IWorkspace, ITranslator],
  optional: [ILayoutRestorer, ICommandPalette, IRunningSessionManagers, ILauncher],
  activate
};

function activate(
  app: JupyterFrontEnd,
  workspace: IWorkspace,
  translator: ITranslator,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  running: IRunningSessionManagers | null,
  launcher: ILauncher | null
): void {
  const { commands, shell } = app;
  const { jobs, compute } = workspace;
  const trans = translator.load('perijove');
  const category = trans.__('Perijove');
  const options: IActionOptions = { jobs, compute, trans };
  const tracker = new WidgetTracker<ComputeDocument>({ namespace: 'perijove-compute' });

  const open = async (name: string) => {
    const { ComputeDocument } = await import('./document');
    showDocument(
      shell,
      tracker,
      document => document.name === name,
      () => new ComputeDocument({ name, manager: compute, jobs, commands, trans })
    );
  };

  /** The target that is meant: named, under the mouse, or the document in front. */
  const targetOf = (args: ReadonlyPartialJSONObject): Target | undefined => {
    if (args.palette) {
      const document = tracker.find(candidate => candidate === shell.currentWidget);
      return document && compute.get(document.name);
    }
    const row = app.contextMenuHitTest(node => Boolean(node.dataset.target));
    const name = (args.name as string | undefined) ?? row?.dataset.target;
    return name ? compute.get(name) : undefined;
  };
  const describedBy = {
    args: {
      type: 'object',
      properties: {
        name: { type: 'string', description: trans.__('The name of the compute target') },
        palette: { type: 'boolean', description: trans.__('Ask which target is meant') }
      }
    }
  };
  /** A verb on a target; without one it asks which of those that `fits` lets through. */
  const verb = (
    id: string,
    label: string,
    title: string,
    fits: (target: Target) => boolean,
    act: (target: Target) => Promise<unknown>
  ) => {
    commands.addCommand(id, {
      label: args => (args.palette ? title : label),
      describedBy,
      isVisible: args => {
        const target = targetOf(args);
        // this machine itself can only be opened
        const isOpenable = target && (id === CommandIDs.open || target.kind !== 'local');
        return Boolean(args.palette || isOpenable);
      },
      isEnabled: args => {
        const target = targetOf(args);
        return target ? fits(target) : Boolean(args.palette) && compute.targets.some(fits);
      },
      execute: async args => {
        const { chooseTarget, guarded } = await import('./actions');
        const target =
          targetOf(args) ??
          (args.palette ? await chooseTarget(title, compute.targets.filter(fits), trans) : null);
        if (target) {
          await guarded(title, () => act(target));
        }
      }
    });
    palette?.addItem({ command: id, args: { palette: true }, category });
  };
  const may = (name: Verb) => (target: Target) => compute.allows(name, target);

  /** Opens the wizard; what it makes is in the list, so nothing is opened at its end. */
  const wizard = (
    id: string,
    attach: boolean,
    label: string,
    caption: string,
    icon: typeof instanceIcon
  ) => {
    commands.addCommand(id, {
      label: args => (args.launcher ? label.replace('…', '') : label),
      caption,
      icon: args => (args.palette ? undefined : icon),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            choice: {
              type: 'string',
              description: trans.__('cluster, instance, machine or scheduler: what, if known')
            }
          }
        }
      },
      execute: async args => {
        const { createCompute } = await import('./wizard');
        await createCompute({ manager: compute, trans, attach, choice: args.choice });
      }
    });
    palette?.addItem({ command: id, args: { palette: true }, category });
    launcher?.add({ command: id, args: { launcher: true }, category, rank: attach ? 1 : 0 });
  };
  wizard(
    CommandIDs.create,
    false,
    trans.__('Create compute…'),
    trans.__('Create an instance or a cluster, or attach what is there already'),
    instanceIcon
  );
  wizard(
    CommandIDs.attach,
    true,
    trans.__('Attach compute…'),
    trans.__('Attach a machine over SSH, or a Dask scheduler'),
    attachedIcon
  );
  verb(
    CommandIDs.open,
    trans.__('Open'),
    trans.__('Open compute target…'),
    () => true,
    target => open(target.name)
  );
  verb(
    CommandIDs.start,
    trans.__('Start'),
    trans.__('Start compute target…'),
    may('start'),
    target => compute.start(target.name)
  );
  verb(
    CommandIDs.stop,
    trans.__('Stop'),
    trans.__('Stop compute target…'),
    may('stop'),
    async target => (await import('./actions')).stopTarget(options, target)
  );
  verb(
    CommandIDs.restart,
    trans.__('Restart'),
    trans.__('Restart compute target…'),
    may('restart'),
    async target => (await import('./actions')).restartTarget(options, target)
  );
  verb(
    CommandIDs.scale,
    trans.__('Scale…'),
    trans.__('Scale compute target…'),
    may('scale'),
    async target => (await import('./scale')).scaleTarget(compute, target, trans)
  );
  verb(
    CommandIDs.keep,
    trans.__('Keep Running'),
    trans.__('Keep compute target running…'),
    target => comingStop(target) !== null,
    target => compute.keepRunning(target.name)
  );
  verb(
    CommandIDs.terminal,
    trans.__('Open Terminal'),
    trans.__('Open terminal on compute target…'),
    target => isMachine(target) && target.state === 'running' && commands.hasCommand(NEW_TERMINAL),
    async target => (await import('./terminal')).openTerminal(commands, target.name)
  );
  verb(
    CommandIDs.remove,
    trans.__('Delete…'),
    trans.__('Delete compute target…'),
    may('delete'),
    async target => (await import('./actions')).deleteTarget(options, target)
  );

  // a restored document opens before the targets are known
  commands.addCommand('perijove:restore-compute', {
    describedBy,
    execute: args => open(args.name as string)
  });
  void restorer?.restore(tracker, {
    command: 'perijove:restore-compute',
    args: document => ({ name: document.name }),
    name: document => document.name
  });

  compute.failed.connect((_, target) => {
    Notification.error(`${target.name}: ${target.message ?? trans.__('failed')}`, {
      autoClose: false,
      actions: [{ label: trans.__('Open'), callback: () => void open(target.name) }]
    });
  });
  announceStops(
    compute,
    trans,
    name => commands.execute(CommandIDs.keep, { name }),
    Notification.manager
  );
  if (running) {
    void import('./running').then(({ addToRunning }) =>
      addToRunning(running, compute, commands, trans)
    );
  }
}
