/** The jobs that were sent to a target. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Job, TargetNode } from '../api';
import { useClock } from '../components/clock';
import { Link } from '../components/link';
import { StateDot } from '../components/state';
import { ago, duration, elapsed, stateText } from '../jobs/format';
import { isOver } from '../jobs/manager';
import { CommandIDs } from '../jobs/tokens';

/** Jobs that are listed; the section of jobs has all of them. */
const SHOWN = 100;

export function JobsView(props: {
  /** The target's jobs, newest first. */
  own: readonly Job[];
  nodes: readonly TargetNode[];
  commands: CommandRegistry;
  trans: TranslationBundle;
}): React.ReactElement {
  const { own, nodes, commands, trans } = props;
  const now = useClock(own.some(job => !isOver(job)) ? 1000 : 0);
  if (!own.length) {
    return (
      <p className="jp-perijove-hint">
        {trans.__('No jobs yet. Choose this target in Run on… of a notebook.')}
      </p>
    );
  }
  const listed = [...own.filter(job => !isOver(job)), ...own.filter(isOver)].slice(0, SHOWN);
  const nodeOf = (job: Job) => nodes.find(node => node.jobs?.includes(job.id))?.id ?? '';
  return (
    <table className="jp-perijove-table">
      <thead>
        <tr>
          <th>{trans.__('Job')}</th>
          <th>{trans.__('State')}</th>
          <th>{trans.__('Node')}</th>
          <th>{trans.__('Took')}</th>
          <th>{trans.__('Submitted')}</th>
        </tr>
      </thead>
      <tbody>
        {listed.map(job => {
          const took = elapsed(job, now);
          return (
            <tr key={job.id}>
              <td>
                <JobLink jobId={job.id} name={job.name} commands={commands} />
              </td>
              <td>
                <div className="jp-perijove-figure">
                  <StateDot state={job.state} label={stateText(job, trans)} />
                  {stateText(job, trans)}
                </div>
              </td>
              <td>{nodeOf(job)}</td>
              <td>{took === null ? '' : duration(took)}</td>
              <td>{ago(job.created_at, trans, now)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

export function JobLink(props: {
  jobId: string;
  name: string;
  commands: CommandRegistry;
}): React.ReactElement {
  return (
    <Link
      title={props.name}
      onOpen={() => void props.commands.execute(CommandIDs.open, { jobId: props.jobId })}
    >
      {props.name}
    </Link>
  );
}
