/** A job's run beside the last runs of the same notebook: one metric and what was set differently. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Reading, type Job, type RunRow, type TrackingChange } from '../api';
import { useClock } from '../components/clock';
import { Link } from '../components/link';
import { Dot } from '../components/state';
import { compare } from '../runs/differences';
import { metricText, statusText, took, tone } from '../runs/format';
import { concerns, type RunManager } from '../runs/manager';
import { ago, duration } from './format';

/** Rows, of as many runs of the experiment as are looked through, and columns of parameters. */
const MOST = { runs: 6, read: 40, params: 2 };
/** Milliseconds between two readings while runs change. */
const PAUSE = 2000;

/** The job's own run, then the ones before it of the same notebook, the newest first. What is not
 * `shown` is read when it is again. */
export function useLastRuns(
  manager: RunManager,
  job: Job | undefined,
  shown: boolean
): readonly RunRow[] {
  const [runs, setRuns] = React.useState<readonly RunRow[]>([]);
  const { run_id: runId, experiment_id: experimentId, ended_at: ended } = job ?? {};
  React.useEffect(() => {
    if (!runId || !experimentId || !shown) {
      return;
    }
    const reading = new Reading(
      () =>
        manager.search({
          experiment_ids: [experimentId],
          // of an old job: what ran before it, not what ran since
          filter: ended ? `attributes.start_time <= ${Date.parse(ended)}` : '',
          parents_only: true,
          limit: MOST.read
        }),
      found => setRuns(lastRuns(found.runs, runId)),
      () => undefined // what was read last stays
    );
    const onTracking = (_: RunManager, change: TrackingChange) => {
      if (concerns(change, [experimentId], [runId])) {
        reading.later(PAUSE);
      }
    };
    manager.changed.connect(onTracking);
    void reading.now();
    return () => {
      reading.dispose();
      manager.changed.disconnect(onTracking);
    };
  }, [manager, runId, experimentId, ended, shown]);
  return runs;
}

/** Of runs in the order of their start, the newest first: this one and those before it that ran
 * the same. */
export function lastRuns(runs: readonly RunRow[], runId: string): readonly RunRow[] {
  const at = runs.findIndex(run => run.run_id === runId);
  const own = runs[at];
  const before = runs.slice(at + 1).filter(run => run.source === own?.source && run.job_id);
  return own ? [own, ...before.slice(0, MOST.runs - 1)] : [];
}

export function LastRuns(props: {
  runs: readonly RunRow[];
  /** The metric that is told; the job's first one. */
  metric: string | undefined;
  trans: TranslationBundle;
  onOpen(run: RunRow): void;
}): React.ReactElement {
  const { runs, trans } = props;
  const now = useClock(runs.some(run => run.status === 'RUNNING') ? 1000 : 60_000);
  // until the job has logged something: what the others have
  const metric = props.metric ?? runs.flatMap(run => Object.keys(run.metrics ?? {}).sort())[0];
  const params = compare(runs, 'params')
    .filter(({ values }) => new Set(values.filter(value => value !== null)).size > 1)
    .slice(0, MOST.params);
  return (
    <table className="jp-perijove-table jp-perijove-lastruns">
      <thead>
        <tr>
          <th scope="col">{trans.__('Run')}</th>
          {metric && (
            <th scope="col" title={metric}>
              {metric}
            </th>
          )}
          {params.map(({ key }) => (
            <th key={key} scope="col" title={key}>
              {key}
            </th>
          ))}
          <th scope="col">{trans.__('Took')}</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run, index) => {
          const seconds = took(run, now);
          const when = run.started_at ? ago(run.started_at, trans, now) : '';
          // runs of one notebook are mostly called alike
          const isNamesake = index > 0 && run.name === runs[0].name;
          const called = index === 0 ? trans.__('this run') : isNamesake ? when : run.name;
          return (
            <tr key={run.run_id} aria-current={index === 0 || undefined}>
              <td>
                <span>
                  <Dot tone={tone(run.status)} label={statusText(run.status, trans)} />
                  <Link title={`${run.name}, ${when}`} onOpen={() => props.onOpen(run)}>
                    <bdi>{called}</bdi>
                  </Link>
                </span>
              </td>
              {metric && <td>{metricText(run.metrics?.[metric])}</td>}
              {params.map(({ key, values }) => (
                <td key={key} title={String(values[index] ?? '')}>
                  {values[index] ?? '–'}
                </td>
              ))}
              <td>{seconds === null ? '–' : duration(seconds)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
