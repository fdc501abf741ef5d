/** The left panel: compute, jobs, experiments, models, each a section to fold and to resize. */
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, SidePanel } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { SplitPanel } from '@lumino/widgets';
import * as React from 'react';

import { useSlow } from './components/loading';
import { useSignal } from './components/signal';
import { computeSection } from './compute/panel';
import { experimentsSection } from './experiments/panel';
import type { Folds } from './jobs/folds';
import type { JobManager } from './jobs/manager';
import { jobsSection } from './jobs/panel';
import { modelsSection } from './models/panel';
import type { IWorkspace } from './workspace';

/** How the sections share the height, until somebody drags them. */
const SIZES = [3, 5, 4, 3];

export class PerijovePanel extends SidePanel {
  constructor(
    workspace: IWorkspace,
    commands: CommandRegistry,
    folds: Folds,
    trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-perijove-panel');
    const { jobs, compute, experiments, models } = workspace;
    this.header.addWidget(ReactWidget.create(<Away manager={jobs} trans={trans} />));
    const wrap = (body: React.ReactElement) => (
      <Known manager={jobs} trans={trans}>
        {body}
      </Known>
    );
    this.addWidget(computeSection({ manager: compute, commands, trans }, wrap));
    this.addWidget(jobsSection({ manager: jobs, commands, folds, trans }, wrap));
    this.addWidget(experimentsSection({ manager: experiments, commands, trans }, wrap));
    this.addWidget(modelsSection({ manager: models, commands, trans }, wrap));
    (this.content as SplitPanel).setRelativeSizes(SIZES);
  }
}

interface IProps {
  manager: JobManager;
  trans: TranslationBundle;
}

function isAway({ connection, status }: JobManager): boolean {
  return connection === 'broken' || status?.state === 'unreachable';
}

/** A section's list, once the hub has told the first. */
function Known({
  manager,
  trans,
  children
}: IProps & { children: React.ReactElement }): React.ReactElement | null {
  useSignal(manager.changed);
  if (manager.isReady) {
    return children;
  }
  return isAway(manager) ? null : (
    <div className="jp-perijove-loading" aria-busy="true" aria-label={trans.__('Loading')}>
      <div />
    </div>
  );
}

function Away({ manager, trans }: IProps): React.ReactElement | null {
  useSignal(manager.changed);
  const isSlow = useSlow(!manager.isReady);
  if (!isAway(manager)) {
    return isSlow ? (
      <p className="jp-perijove-hint" role="status">
        {trans.__('The hub has not answered yet. It may be starting.')}
      </p>
    ) : (
      <TrackingAway state={manager.status?.tracking_state} trans={trans} />
    );
  }
  return (
    <div className="jp-perijove-broken" role="alert">
      <p>
        {manager.isReady
          ? trans.__(
              'There is no connection to the hub. Jobs that run go on; this list is as it was last.'
            )
          : trans.__('There is no connection to the hub. Jobs that run go on.')}
      </p>
      <button className="jp-Button jp-mod-styled" onClick={() => manager.retry()}>
        {trans.__('Try again')}
      </button>
    </div>
  );
}

/** What is said while MLflow does not answer: the hub looks, whether something is asked of it or not. */
function TrackingAway(props: {
  state: string | null | undefined;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { state, trans } = props;
  if (state === 'starting') {
    return (
      <p className="jp-perijove-hint" role="status">
        {trans.__('MLflow is starting. Experiments, runs and models can be read when it has.')}
      </p>
    );
  }
  return state === 'unreachable' ? (
    <div className="jp-perijove-broken" role="alert">
      <p>
        {trans.__(
          'MLflow does not answer. Jobs that run go on; experiments, runs and models can be read again, by themselves, when it does.'
        )}
      </p>
    </div>
  ) : null;
}
