/** Everything known of a job, to read and to copy. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Job } from '../api';
import { Details, type Rows } from '../components/details';
import { stateText } from './format';

export function DetailsView(props: { job: Job; trans: TranslationBundle }): React.ReactElement {
  const { job, trans } = props;
  const time = (value?: string | null) => (value ? new Date(value).toLocaleString() : null);
  const rows: Rows = [
    [trans.__('Job'), <code key="id">{job.id}</code>],
    [trans.__('State'), stateText(job, trans)],
    [trans.__('Message'), job.message],
    [trans.__('MLflow run'), job.run_id && <code key="run">{job.run_id}</code>],
    [trans.__('Recorded in MLflow'), job.recorded ? trans.__('completely') : trans.__('not yet')],
    [trans.__('Experiment'), job.experiment],
    [trans.__('Compute'), job.compute],
    [trans.__('Environment'), job.environment],
    [trans.__('Source'), `${job.root}/${job.path}`],
    [trans.__('Git commit'), job.git_commit && <code key="git">{job.git_commit}</code>],
    [trans.__('Attempt'), trans.__('%1 of up to %2', job.attempt, (job.retries ?? 0) + 1)],
    [trans.__('Timeout'), job.timeout ? trans.__('%1 s per attempt', job.timeout) : null],
    [trans.__('Submitted'), time(job.created_at)],
    [trans.__('Started'), time(job.started_at)],
    [trans.__('Ended'), time(job.ended_at)],
    [trans.__('Run again from'), job.rerun_of && <code key="rerun">{job.rerun_of}</code>],
    [trans.__('Executed notebook'), job.output_notebook],
    ...Object.entries(job.parameters).map(([name, value]): [string, React.ReactNode] => [
      trans.__('Parameter %1', name),
      <code key={name}>{JSON.stringify(value)}</code>
    ]),
    ...Object.entries(job.tags).map(([name, value]): [string, React.ReactNode] => [
      trans.__('Tag %1', name),
      String(value)
    ])
  ];
  return <Details rows={rows} />;
}
