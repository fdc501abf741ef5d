/** Targets that are up, in JupyterLab's Running panel. */
import { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';

import type { Target } from '../api';
import { kindIcon } from '../components/icons';
import { whenDifferent } from '../components/running';
import { kindText, summary } from './format';
import { ComputeManager, isManaged, isOff } from './manager';
import { CommandIDs } from './tokens';

export function addToRunning(
  running: IRunningSessionManagers,
  manager: ComputeManager,
  commands: CommandRegistry,
  trans: TranslationBundle
): void {
  const up = () => manager.targets.filter(target => isManaged(target) && !isOff(target));
  const changed = whenDifferent(manager.changed, () =>
    up()
      .map(target => target.name + summary(target, trans))
      .join()
  );
  running.add({
    name: trans.__('Perijove compute'),
    supportsMultipleViews: false,
    running: () => up().map(target => new UpTarget(target, commands, trans)),
    shutdownAll: () =>
      up().forEach(target => void manager.stop(target.name, true).catch(console.warn)),
    refreshRunning: () => changed.emit(),
    runningChanged: changed,
    shutdownLabel: trans.__('Stop'),
    shutdownAllLabel: trans.__('Stop All'),
    shutdownAllConfirmationText: trans.__(
      'Stop all compute targets? Jobs that run on them are canceled; what is queued waits.'
    )
  });
}

class UpTarget implements IRunningSessions.IRunningItem {
  constructor(
    private _target: Target,
    private _commands: CommandRegistry,
    private _trans: TranslationBundle
  ) {}

  open(): void {
    void this._commands.execute(CommandIDs.open, { name: this._target.name });
  }

  shutdown(): void {
    void this._commands.execute(CommandIDs.stop, { name: this._target.name });
  }

  icon(): LabIcon {
    return kindIcon(this._target.kind);
  }

  label(): string {
    return this._target.name;
  }

  detail(): string {
    return summary(this._target, this._trans);
  }

  labelTitle(): string {
    return `${kindText(this._target, this._trans)}\n${summary(this._target, this._trans)}`;
  }
}
