/** The left panel's section of jobs. */
import * as React from 'react';

import { addButton, Section } from '../components/section';
import { useSignal } from '../components/signal';
import { type IJobListProps, JobList } from './joblist';
import { CommandIDs } from './tokens';

/** `wrap` draws what is listed, once the hub is there. */
export function jobsSection(
  props: IJobListProps,
  wrap: (body: React.ReactElement) => React.ReactElement
): Section {
  const { manager, commands, trans } = props;
  return new Section({
    label: trans.__('Jobs'),
    changed: manager.changed,
    count: () => (manager.isReady ? trans.__('%1 active', manager.active.length) : ''),
    tools: { runOn: addButton(commands, CommandIDs.runOn, trans.__('Run a notebook…')) },
    body: wrap(<Jobs {...props} />)
  });
}

function Jobs(props: IJobListProps): React.ReactElement {
  useSignal(props.manager.changed);
  return props.manager.jobs.length ? <JobList {...props} /> : <Empty {...props} />;
}

function Empty({ commands, trans }: IJobListProps): React.ReactElement {
  return (
    <div className="jp-perijove-empty">
      <h2>{trans.__('No jobs yet')}</h2>
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
