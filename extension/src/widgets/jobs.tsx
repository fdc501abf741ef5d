/** A job as a card, and the newest jobs as a list. */
import * as React from 'react';

import type { Job, MetricPoint } from '../api';
import { useClock } from '../components/clock';
import { Lines } from '../components/lines';
import { ProgressBar, StateDot, StatePill } from '../components/state';
import { cellText, duration, elapsed, figure, stateText } from '../jobs/format';
import { matches } from '../jobs/filter';
import { isOver } from '../jobs/manager';
import { JobRow } from '../jobs/row';
import { CommandIDs } from '../jobs/tokens';
import { useAct, useTrait } from './model';
import { ThemeContext } from './theme';
import { trans } from './trans';
import { treeProps } from './tree';

interface ICard {
  job: Job;
  metrics: Record<string, MetricPoint[]>;
}

export function JobCard(): React.ReactElement {
  const [{ job, metrics }] = useTrait<ICard>('data');
  const act = useAct();
  const theme = React.useContext(ThemeContext);
  const over = isOver(job);
  const now = useClock(over ? 0 : 1000);
  const took = elapsed(job, now);
  const { done = 0, total = 0 } = job.progress ?? {};
  const facts = [
    over ? '' : cellText(job, trans),
    took === null ? '' : duration(took),
    job.compute,
    trans.__('experiment %1', job.experiment)
  ];
  return (
    <article className="jp-perijove-card" aria-label={trans.__('Job %1', job.name)}>
      <header>
        <StateDot state={job.state} label={stateText(job, trans)} />
        <b>
          <bdi>{job.name}</bdi>
        </b>
        <StatePill state={job.state} label={stateText(job, trans)} />
        <code>{job.id.slice(0, 8)}</code>
        {(over || !job.cancel_requested) && (
          <button className="jp-perijove-button" onClick={() => act(over ? 'rerun' : 'cancel')}>
            {over ? trans.__('Run again') : trans.__('Cancel')}
          </button>
        )}
      </header>
      {!over && <ProgressBar done={done} total={total} label={trans.__('Cells of %1', job.name)} />}
      <p className="jp-perijove-facts">{facts.filter(Boolean).join(' · ')}</p>
      {job.message && <p className="jp-perijove-card-message">{job.message}</p>}
      <div className="jp-perijove-metrics">
        {Object.entries(metrics)
          .filter(([, points]) => points.length)
          .map(([key, points]) => (
            <figure key={key}>
              <figcaption>
                <span title={key}>{key}</span>
                <b>{figure(Number(points[points.length - 1].value))}</b>
              </figcaption>
              {points.length > 1 && (
                <Lines
                  title={trans.__('%1 by step', key)}
                  lines={[
                    {
                      label: key,
                      index: 0,
                      xs: points.map(point => point.step),
                      ys: points.map(point => finite(point.value))
                    }
                  ]}
                  version={`${points.length} ${points[points.length - 1].timestamp}`}
                  theme={theme}
                  height={90}
                  format={figure}
                />
              )}
            </figure>
          ))}
      </div>
    </article>
  );
}

const rowId = (id: string) => `jp-perijove-job-${id}`;

export function JobTable(): React.ReactElement {
  const [{ jobs }] = useTrait<{ jobs: Job[] }>('data');
  const [state] = useTrait<string>('state');
  const [selected, setSelected] = useTrait<string[]>('selected');
  const [filter, setFilter] = React.useState('');
  const act = useAct();
  const now = useClock(jobs.some(job => !isOver(job)) ? 1000 : 60_000);
  const run = React.useCallback(
    (command: string, id: string) => {
      if (command === CommandIDs.open) {
        setSelected([id]);
      } else {
        act(command === CommandIDs.cancel ? 'cancel' : 'rerun', { id });
      }
    },
    [act, setSelected]
  );
  const shown = jobs.filter(job => matches(job, filter));
  const none = state ? trans.__('No %1 jobs.', state) : trans.__('No jobs yet.');
  return (
    <>
      <input
        className="jp-perijove-search"
        type="search"
        placeholder={trans.__('Filter jobs')}
        aria-label={trans.__('Filter jobs')}
        value={filter}
        onChange={event => setFilter(event.target.value)}
      />
      <div
        className="jp-perijove-jobs"
        aria-label={trans.__('Jobs')}
        {...treeProps(
          shown.map(job => job.id),
          selected[0],
          id => setSelected([id]),
          rowId
        )}
      >
        {shown.map(job => (
          <JobRow
            key={job.id}
            id={rowId(job.id)}
            job={job}
            now={now}
            selected={selected.includes(job.id)}
            trans={trans}
            onSelect={id => setSelected([id])}
            onRun={run}
          />
        ))}
        {!shown.length && (
          <p className="jp-perijove-hint">
            {jobs.length ? trans.__('No job matches "%1".', filter) : none}
          </p>
        )}
      </div>
    </>
  );
}

/** A number that can be drawn. */
export function finite(value: number | string): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
