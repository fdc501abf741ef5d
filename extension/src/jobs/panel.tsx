/** The left panel: compute, jobs, experiments, models. */
import { ReactWidget } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { perijoveIcon } from '../components/icons';
import { useSignal } from '../components/signal';
import { ComputeSection } from '../compute/panel';
import { ExperimentsSection } from '../experiments/panel';
import { ModelsSection } from '../models/panel';
import type { IWorkspace } from '../workspace';
import { type IJobListProps, JobList } from './joblist';
import { CommandIDs } from './tokens';

export class JobsPanel extends ReactWidget {
  constructor(
    private _workspace: IWorkspace,
    private _commands: CommandRegistry,
    private _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-perijove-panel');
  }

  protected render(): React.ReactElement {
    return (
      <Jobs
        manager={this._workspace.jobs}
        workspace={this._workspace}
        commands={this._commands}
        trans={this._trans}
      />
    );
  }
}

interface IJobsProps extends IJobListProps {
  workspace: IWorkspace;
}

function Jobs(props: IJobsProps): React.ReactElement {
  const { manager, workspace, commands, trans } = props;
  useSignal(manager.changed);
  if (!manager.isReady) {
    return manager.connection === 'broken' || manager.status?.state === 'unreachable' ? (
      <Broken {...props} />
    ) : (
      <div className="jp-perijove-loading" aria-busy="true" aria-label={trans.__('Loading jobs')}>
        <div />
        <div />
        <div />
      </div>
    );
  }
  const away = manager.connection === 'broken' || manager.status?.state === 'unreachable';
  return (
    <>
      {away && <Broken {...props} />}
      <ComputeSection manager={workspace.compute} commands={commands} trans={trans} />
      {manager.jobs.length ? <JobList {...props} /> : <Empty {...props} />}
      <ExperimentsSection manager={workspace.experiments} commands={commands} trans={trans} />
      <ModelsSection manager={workspace.models} commands={commands} trans={trans} />
    </>
  );
}

function Empty({ commands, trans }: IJobListProps): React.ReactElement {
  return (
    <div className="jp-perijove-empty">
      <perijoveIcon.react tag="span" width="40px" height="40px" />
      <h3>{trans.__('No jobs yet')}</h3>
      <p>
        {trans.__(
          'Open a notebook and choose Run on… in its toolbar. It runs in the background, and everything it did is kept.'
        )}
      </p>
      <button
        className="jp-Button jp-mod-styled jp-mod-accept"
        onClick={() => void commands.execute(CommandIDs.runOn)}
      >
        {trans.__('Run a notebook…')}
      </button>
    </div>
  );
}

function Broken({ manager, trans }: IJobListProps): React.ReactElement {
  return (
    <div className="jp-perijove-broken" role="alert">
      <p>
        {trans.__('The hub does not answer. Jobs that run go on; this list is as it was last.')}
      </p>
      <button className="jp-Button jp-mod-styled" onClick={() => manager.retry()}>
        {trans.__('Try again')}
      </button>
    </div>
  );
}
