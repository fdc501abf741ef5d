/** A job in the list. */
import { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon, refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Job } from '../api';
import { type IRowPlace, rowProps } from '../components/rowlist';
import { ProgressBar, StateDot } from '../components/state';
import { stateText, summary } from './format';
import { isOver } from './manager';
import { CommandIDs } from './tokens';

export interface IRowProps extends IRowPlace {
  job: Job;
  now: number;
  trans: TranslationBundle;
  onRun(command: string, jobId: string): void;
}

export const JobRow = React.memo(function JobRow(props: IRowProps): React.ReactElement {
  const { job, trans } = props;
  const over = isOver(job);
  const { done = 0, total = 0 } = job.progress ?? {};
  const label = over ? trans.__('Run %1 again', job.name) : trans.__('Cancel %1', job.name);
  const icon = over ? refreshIcon : closeIcon;
  const said = summary(job, trans, props.now);
  return (
    <div
      {...rowProps(job.id, props)}
      aria-level={2}
      data-job-id={job.id}
      title={[job.name, said, job.message].filter(Boolean).join('\n')}
      onClick={() => props.onRun(CommandIDs.open, job.id)}
    >
      <StateDot state={job.state} label={stateText(job, trans)} />
      <div className="jp-perijove-row-text">
        <span className="jp-perijove-row-name">{job.name}</span>
        <span className="jp-perijove-row-summary">{said}</span>
        {job.state === 'running' && total > 0 && (
          <ProgressBar done={done} total={total} label={trans.__('Cells of %1', job.name)} />
        )}
      </div>
      {(over || !job.cancel_requested) && (
        <button
          className={`jp-perijove-row-action${over ? ' jp-mod-rare' : ''}`}
          title={label}
          aria-label={label}
          tabIndex={-1}
          onMouseDown={event => event.stopPropagation()}
          onClick={event => {
            event.stopPropagation();
            props.onRun(over ? CommandIDs.rerun : CommandIDs.cancel, job.id);
          }}
        >
          <icon.react tag="span" width="14px" height="14px" />
        </button>
      )}
    </div>
  );
});
