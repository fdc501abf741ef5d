/** Active jobs in JupyterLab's Running panel. */
import { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';

import type { Job } from '../api';
import { perijoveIcon } from '../components/icons';
import { whenDifferent } from '../components/running';
import { summary } from './format';
import { JobManager } from './manager';
import { CommandIDs } from './tokens';

export function addToRunning(
  running: IRunningSessionManagers,
  manager: JobManager,
  commands: CommandRegistry,
  trans: TranslationBundle
): void {
  const changed = whenDifferent(manager.changed, () =>
    manager.active.map(job => job.id + job.state).join()
  );
  running.add({
    name: trans.__('Perijove jobs'),
    supportsMultipleViews: false,
    running: () => manager.active.map(job => new ActiveJob(job, manager, commands, trans)),
    shutdownAll: () => manager.active.forEach(job => void manager.cancel(job.id)),
    refreshRunning: () => changed.emit(),
    runningChanged: changed,
    shutdownLabel: trans.__('Cancel'),
    shutdownAllLabel: trans.__('Cancel All'),
    shutdownAllConfirmationText: trans.__('Cancel all active jobs? What they have done is kept.')
  });
}

class ActiveJob implements IRunningSessions.IRunningItem {
  constructor(
    private _job: Job,
    private _manager: JobManager,
    private _commands: CommandRegistry,
    private _trans: TranslationBundle
  ) {}

  open(): void {
    void this._commands.execute(CommandIDs.open, { jobId: this._job.id });
  }

  shutdown(): void {
    void this._manager.cancel(this._job.id);
  }

  icon(): LabIcon {
    return perijoveIcon;
  }

  label(): string {
    return this._job.name;
  }

  labelTitle(): string {
    return summary(this._job, this._trans);
  }
}
