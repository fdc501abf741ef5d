/** The jobs as a list to filter, to walk through and to act on; only what is in view is drawn. */
import { caretDownIcon, caretRightIcon, FilterBox } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import type { Job } from '../api';
import { useClock } from '../components/clock';
import { menuOf } from '../components/menukey';
import { matches } from './filter';
import { isOver, JobManager } from './manager';
import { JobRow } from './row';
import { CommandIDs } from './tokens';

const HEIGHT = { job: 42, running: 48, group: 28 };
/** Rows that Page Up and Page Down pass over. */
const PAGE = 12;
const MINUTE = 60_000;

interface IGroup {
  name: 'active' | 'finished';
  label: string;
  count: number;
}

type Item = { group: IGroup; job?: undefined } | { job: Job };

export interface IJobListProps {
  manager: JobManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

export function JobList({ manager, commands, trans }: IJobListProps): React.ReactElement {
  const { jobs, active } = manager;
  const [filter, setFilter] = React.useState('');
  const [closed, setClosed] = React.useState<Record<string, boolean>>({});
  const [selected, setSelected] = React.useState<string | null>(null);
  const scroller = React.useRef<HTMLDivElement>(null);
  const now = useClock(active.length ? 1000 : MINUTE);
  // what is over shows its age in minutes: its row need not be drawn each second
  const minute = Math.floor(now / MINUTE) * MINUTE;

  const items = React.useMemo(() => {
    const shown = jobs.filter(job => matches(job, filter));
    const group = (name: IGroup['name'], label: string, found: Job[]): Item[] => {
      const rows = closed[name] ? [] : found.map(job => ({ job }));
      return found.length ? [{ group: { name, label, count: found.length } }, ...rows] : [];
    };
    return [
      ...group(
        'active',
        trans.__('Active'),
        shown.filter(job => !isOver(job))
      ),
      ...group('finished', trans.__('Finished'), shown.filter(isOver))
    ];
  }, [jobs, filter, closed]);
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: index => height(items[index]),
    // a new function has everything measured anew: once when the items change, not on each drawing
    getItemKey: React.useCallback(
      (index: number) => items[index].job?.id ?? (items[index] as { group: IGroup }).group.name,
      [items]
    ),
    overscan: 8
  });

  const run = React.useCallback(
    (command: string, jobId: string) => void commands.execute(command, { jobId }),
    [commands]
  );
  const onKeyDown = (event: React.KeyboardEvent) => {
    const rows = items.flatMap((item, index) => (item.job ? [{ id: item.job.id, index }] : []));
    const at = rows.findIndex(row => row.id === selected);
    const go = (to: number) => {
      const place = Math.max(0, Math.min(rows.length - 1, to));
      if (rows[place]) {
        setSelected(rows[place].id);
        // above the first job is the head of its group
        virtualizer.scrollToIndex(place ? rows[place].index : 0);
      }
    };
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + PAGE),
      PageUp: () => go(at - PAGE),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      Enter: () => rows[at] && run(CommandIDs.open, rows[at].id),
      Delete: () => rows[at] && run(CommandIDs.remove, rows[at].id)
    };
    // Enter on a group's head is the head's own
    if (keys[event.key] && !(event.target instanceof HTMLButtonElement)) {
      event.preventDefault();
      keys[event.key]();
    }
  };

  const marked = selected ? `jp-perijove-job-${selected}` : undefined;
  return (
    <section className="jp-perijove-section jp-mod-grow" aria-label={trans.__('Jobs')}>
      <header className="jp-perijove-head">
        <span>{trans.__('Jobs')}</span>
        <span className="jp-perijove-count">{trans.__('%1 active', active.length)}</span>
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
        aria-activedescendant={marked}
        onKeyDown={onKeyDown}
        onContextMenu={menuOf(marked)}
      >
        {!items.length && (
          <p className="jp-perijove-hint">{trans.__('No job matches "%1".', filter)}</p>
        )}
        <div style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
          {virtualizer.getVirtualItems().map(({ index, start, size, key }) => {
            const item = items[index];
            return (
              <div
                key={key}
                className="jp-perijove-slot"
                style={{ height: size, transform: `translateY(${start}px)` }}
                role="presentation"
              >
                {item.job ? (
                  <JobRow
                    job={item.job}
                    now={isOver(item.job) ? minute : now}
                    trans={trans}
                    selected={item.job.id === selected}
                    onSelect={setSelected}
                    onRun={run}
                  />
                ) : (
                  <GroupHead
                    {...item.group}
                    open={!closed[item.group.name]}
                    onToggle={name => setClosed({ ...closed, [name]: !closed[name] })}
                  />
                )}
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

function GroupHead(
  props: IGroup & { open: boolean; onToggle(name: IGroup['name']): void }
): React.ReactElement {
  const icon = props.open ? caretDownIcon : caretRightIcon;
  return (
    <button
      className="jp-perijove-group"
      aria-expanded={props.open}
      onClick={() => props.onToggle(props.name)}
    >
      <icon.react tag="span" className="jp-perijove-caret" width="16px" height="16px" />
      {props.label} <span className="jp-perijove-count">{props.count}</span>
    </button>
  );
}

function height(item: Item): number {
  return !item.job ? HEIGHT.group : item.job.state === 'running' ? HEIGHT.running : HEIGHT.job;
}
