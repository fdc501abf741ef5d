/** The left panel: the compute and the jobs. */
import { ReactWidget } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { perijoveIcon } from '../components/icons';
import { useSignal } from '../components/signal';
import { type IJobListProps, JobList } from './joblist';
import { JobManager } from './manager';
import { CommandIDs } from './tokens';

export class JobsPanel extends ReactWidget {
  constructor(
    private _manager: JobManager,
    private _commands: CommandRegistry,
    private _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-perijove-panel');
  }

  protected render(): React.ReactElement {
    return <Jobs manager={this._manager} commands={this._commands} trans={this._trans} />;
  }
}

function Jobs(props: IJobListProps): React.ReactElement {
  const { manager, trans } = props;
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
      <ComputeLine {...props} />
      {manager.jobs.length ? <JobList {...props} /> : <Empty {...props} />}
    </>
  );
}

function ComputeLine({ manager, trans }: IJobListProps): React.ReactElement | null {
  const targets = manager.status?.targets ?? [];
  if (!targets.length) {
    return null;
  }
  return (
    <section className="jp-perijove-section" aria-label={trans.__('Compute')}>
      <header className="jp-perijove-head">
        <span>{trans.__('Compute')}</span>
      </header>
      {targets.map(target => (
        <div key={target.name} className="jp-perijove-row jp-mod-static">
          <span className="jp-perijove-dot jp-mod-ok" />
          <div className="jp-perijove-row-text">
            <span className="jp-perijove-row-name">{target.name}</span>
            <span className="jp-perijove-row-summary">
              {trans._n('%1 slot', '%1 slots', target.slots)} ·{' '}
              {trans.__('%1 busy', target.running_jobs)}
              {target.queued_jobs > 0 && ` · ${trans.__('%1 queued', target.queued_jobs)}`}
            </span>
          </div>
          <span className="jp-perijove-slots" aria-hidden="true">
            {Array.from({ length: Math.min(target.slots, 16) }, (_, i) => (
              <i key={i} className={i < target.running_jobs ? 'jp-mod-busy' : ''} />
            ))}
          </span>
        </div>
      ))}
    </section>
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
