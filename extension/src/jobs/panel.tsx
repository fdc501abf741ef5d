/** The left panel's list of jobs. */
import { ReactWidget, FilterBox } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import type { Job } from '../api';
import { useClock } from '../components/clock';
import { perijoveIcon } from '../components/icons';
import { useSignal } from '../components/signal';
import { ComputeManager } from '../compute/manager';
import { ComputeSection } from '../compute/panel';
import { matches } from './filter';
import { isOver, JobManager } from './manager';
import { JobRow } from './row';
import { CommandIDs } from './tokens';

const ROW = { job: 42, running: 48, head: 28 };

export class JobsPanel extends ReactWidget {
  constructor(
    private _manager: JobManager,
    private _compute: ComputeManager,
    private _commands: CommandRegistry,
    private _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-perijove-panel');
  }

  protected render(): React.ReactElement {
    return (
      <Jobs
        manager={this._manager}
        compute={this._compute}
        commands={this._commands}
        trans={this._trans}
      />
    );
  }
}

interface IJobsProps {
  manager: JobManager;
  compute: ComputeManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

type Item = { head: string; count: number; key: string } | { job: Job };

function Jobs(props: IJobsProps): React.ReactElement {
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
      <ComputeSection manager={props.compute} commands={props.commands} trans={trans} />
      {manager.jobs.length ? <List {...props} /> : <Empty {...props} />}
    </>
  );
}

function List({ manager, commands, trans }: IJobsProps): React.ReactElement {
  const [filter, setFilter] = React.useState('');
  const [closed, setClosed] = React.useState<Record<string, boolean>>({});
  const [selected, setSelected] = React.useState<string | null>(null);
  const scroller = React.useRef<HTMLDivElement>(null);
  const now = useClock(true);

  const shown = manager.jobs.filter(job => matches(job, filter));
  const groups = [
    { key: 'active', head: trans.__('Active'), jobs: shown.filter(job => !isOver(job)) },
    { key: 'finished', head: trans.__('Finished'), jobs: shown.filter(isOver) }
  ];
  const items: Item[] = groups.flatMap(group =>
    group.jobs.length
      ? [
          { head: group.head, count: group.jobs.length, key: group.key },
          ...(closed[group.key] ? [] : group.jobs.map(job => ({ job })))
        ]
      : []
  );
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: index => height(items[index]),
    getItemKey: index => {
      const item = items[index];
      return 'job' in item ? item.job.id : item.key;
    },
    overscan: 8
  });
  // a job that starts to run gets a bar, so rows change their height
  React.useEffect(() => virtualizer.measure(), [items.map(height).join()]);

  const run = (id: string, jobId: string) => void commands.execute(id, { jobId });
  const onKeyDown = (event: React.KeyboardEvent) => {
    const jobs = items.flatMap(item => ('job' in item ? [item.job] : []));
    const at = jobs.findIndex(job => job.id === selected);
    const go = (to: number) => {
      const job = jobs[Math.max(0, Math.min(jobs.length - 1, to))];
      if (job) {
        setSelected(job.id);
        virtualizer.scrollToIndex(items.findIndex(item => 'job' in item && item.job === job));
      }
    };
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(jobs.length - 1),
      Enter: () => selected && run(CommandIDs.open, selected),
      Delete: () => selected && run(CommandIDs.remove, selected),
      Escape: () => setFilter('')
    };
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  };

  return (
    <section className="jp-perijove-section jp-mod-grow" aria-label={trans.__('Jobs')}>
      <header className="jp-perijove-head">
        <span>{trans.__('Jobs')}</span>
        <span className="jp-perijove-count">{trans.__('%1 active', manager.active.length)}</span>
      </header>
      <div className="jp-perijove-filter">
        <FilterBox
          placeholder={trans.__('Filter jobs')}
          updateFilter={(_, query) => setFilter(query ?? '')}
          useFuzzyFilter={false}
          caseSensitive={false}
          showIcon={true}
        />
      </div>
      <div
        ref={scroller}
        className="jp-perijove-list"
        role="listbox"
        tabIndex={0}
        aria-label={trans.__('Jobs')}
        aria-activedescendant={selected ? `jp-perijove-job-${selected}` : undefined}
        onKeyDown={onKeyDown}
      >
        {!items.length && (
          <p className="jp-perijove-hint">{trans.__('No job matches "%1".', filter)}</p>
        )}
        <div style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
          {virtualizer.getVirtualItems().map(({ index, start, size, key }) => {
            const item = items[index];
            const style: React.CSSProperties = {
              height: size,
              transform: `translateY(${start}px)`
            };
            return (
              <div key={key} className="jp-perijove-slot" style={style} role="presentation">
                {'job' in item ? (
                  <JobRow
                    job={item.job}
                    now={now}
                    trans={trans}
                    selected={item.job.id === selected}
                    onSelect={() => setSelected(item.job.id)}
                    onOpen={() => run(CommandIDs.open, item.job.id)}
                    onCancel={() => run(CommandIDs.cancel, item.job.id)}
                    onRerun={() => run(CommandIDs.rerun, item.job.id)}
                  />
                ) : (
                  <button
                    className="jp-perijove-group"
                    aria-expanded={!closed[item.key]}
                    onClick={() => setClosed({ ...closed, [item.key]: !closed[item.key] })}
                  >
                    <span className="jp-perijove-caret">{closed[item.key] ? '▸' : '▾'}</span>
                    {item.head} <span className="jp-perijove-count">{item.count}</span>
                  </button>
                )}
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

function height(item: Item): number {
  if (!('job' in item)) {
    return ROW.head;
  }
  return item.job.state === 'running' ? ROW.running : ROW.job;
}

function Empty({ commands, trans }: IJobsProps): React.ReactElement {
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

function Broken({ manager, trans }: IJobsProps): React.ReactElement {
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
