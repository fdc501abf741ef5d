/** The verbs on jobs, as commands: for buttons, menus, the palette and the keyboard. */
import { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Clipboard,
  Dialog,
  Notification,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { ApiError, fileUrl, type Job, type JobDefinition } from '../api';
import { confirm } from '../components/confirm';
import { perijoveIcon } from '../components/icons';
import type { ComputeManager } from '../compute/manager';
import type { runOn } from './form';
import { isOver, JobManager } from './manager';
import { CommandIDs, JOB_ARGS } from './tokens';

const RUN_ON_ARGS = {
  type: 'object',
  properties: {
    browser: { type: 'boolean', description: 'Run what is selected in the file browser' },
    toolbar: { type: 'boolean', description: 'Is it in a toolbar, where the label says enough?' }
  }
} as const;

export interface ICommandOptions {
  app: JupyterFrontEnd;
  manager: JobManager;
  compute: ComputeManager;
  trans: TranslationBundle;
  notebooks: INotebookTracker | null;
  browser: IDefaultFileBrowser | null;
  settings: ISettingRegistry.ISettings | null;
  open(jobId: string): Promise<void>;
}

export function addCommands(options: ICommandOptions): void {
  const { app, manager, compute, trans, open } = options;
  const { commands } = app;

  const jobOf = (args: ReadonlyPartialJSONObject): Job | undefined => {
    const row = app.contextMenuHitTest(node => Boolean(node.dataset.jobId));
    const id = (args.jobId as string | undefined) ?? row?.dataset.jobId;
    return id ? manager.get(id) : undefined;
  };
  /** A verb on the jobs that `can` have it; what it throws is said in a dialog. */
  const verb = (
    id: string,
    label: string,
    act: (job: Job) => Promise<unknown> | void,
    can: (job: Job) => boolean = () => true
  ) =>
    commands.addCommand(id, {
      label,
      describedBy: { args: JOB_ARGS },
      isVisible: args => Boolean(jobOf(args)),
      isEnabled: args => {
        const job = jobOf(args);
        return job ? can(job) : false;
      },
      execute: async args => {
        const job = jobOf(args);
        if (job && can(job)) {
          await guarded(label, async () => void (await act(job)));
        }
      }
    });
  const guarded = async (title: string, act: () => Promise<void>) => {
    try {
      await act();
    } catch (error) {
      const text = error instanceof ApiError ? error.text : String((error as Error).message);
      await showErrorMessage(title, text);
    }
  };

  /** The form is loaded when it is needed first. */
  const ask: typeof runOn = async (...form) => (await import('./form')).runOn(...form);

  verb(CommandIDs.open, trans.__('Open'), job => open(job.id));

  verb(
    CommandIDs.cancel,
    trans.__('Cancel'),
    async job => {
      if (options.settings?.get('confirmCancel').composite !== false) {
        const isMeant = await confirm({
          title: trans.__('Cancel %1?', job.name),
          body: trans.__('What it has done so far is kept.'),
          accept: trans.__('Cancel the job'),
          reject: trans.__('Let it run')
        });
        if (!isMeant) {
          return;
        }
      }
      await manager.cancel(job.id);
    },
    job => !isOver(job) && !job.cancel_requested
  );

  verb(CommandIDs.rerun, trans.__('Run again…'), async job => {
    const root = manager.status?.home;
    try {
      const again = await ask(manager, compute, job.path, trans, {
        name: job.name,
        experiment: job.experiment,
        environment: job.environment,
        compute: job.compute,
        parameters: job.parameters as JobDefinition['parameters'],
        timeout: job.timeout,
        retries: job.retries,
        cpus: job.cpus,
        memory: job.memory,
        gpus: job.gpus,
        priority: job.priority,
        tags: job.tags
      });
      if (again) {
        await open(again.id);
      }
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 0 || root === undefined) {
        throw error;
      }
      // the notebook is not where it was, or lies elsewhere: its snapshot can be run all the same
      await open((await manager.rerun(job.id)).id);
    }
  });

  verb(
    CommandIDs.remove,
    trans.__('Delete…'),
    async job => {
      const isMeant = await confirm({
        title: trans.__('Delete %1?', job.name),
        body: trans.__(
          'Its files on this machine are deleted. Its MLflow run stays, with parameters, metrics and artifacts.'
        ),
        accept: trans.__('Delete')
      });
      if (isMeant) {
        Notification.info((await manager.delete(job.id)).message, { autoClose: 5000 });
      }
    },
    isOver
  );

  verb(
    CommandIDs.openRun,
    trans.__('Open run in MLflow'),
    async job => {
      window.open(await manager.runLink(job.id), '_blank', 'noopener');
    },
    job => Boolean(job.run_id && job.experiment_id)
  );

  verb(CommandIDs.copyId, trans.__('Copy job id'), job => {
    Clipboard.copyToSystem(job.id);
  });

  verb(
    CommandIDs.download,
    trans.__('Download executed notebook'),
    job => {
      const name = (job.path.split('/').pop() ?? '').replace(/\.ipynb$/, '');
      const link = document.createElement('a');
      link.href = fileUrl(manager.settings, job.id, `notebook/${name}.ipynb`, true);
      link.download = `${name}.ipynb`;
      link.click();
    },
    job => job.kind === 'notebook' && isOver(job)
  );

  commands.addCommand(CommandIDs.runOn, {
    label: trans.__('Run on…'),
    caption: trans.__('Run this notebook or script as a job'),
    describedBy: { args: RUN_ON_ARGS },
    icon: args => (args.toolbar ? undefined : perijoveIcon),
    execute: args =>
      guarded(trans.__('Run on…'), async () => {
        const path = await chosenPath(options, args);
        if (!path) {
          await showDialog({
            title: trans.__('Run on…'),
            body: trans.__('Open a notebook first, or select one in the file browser.'),
            buttons: [Dialog.okButton()]
          });
          return;
        }
        const job = await ask(manager, compute, path, trans);
        if (job) {
          await open(job.id);
        }
      })
  });
}

/** The notebook in front (saved first), else what is selected in the file browser. */
async function chosenPath(
  options: ICommandOptions,
  args: ReadonlyPartialJSONObject
): Promise<string | null> {
  const selected = () => {
    const items = options.browser ? [...options.browser.selectedItems()] : [];
    return items.find(item => /\.(ipynb|py)$/.test(item.path))?.path ?? null;
  };
  if (args.browser) {
    return selected();
  }
  const panel = options.notebooks?.currentWidget;
  if (!panel) {
    return selected();
  }
  if (panel.context.model.dirty) {
    // the job runs what is on disk
    await panel.context.save();
  }
  return panel.context.path;
}
