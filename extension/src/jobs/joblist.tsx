/** The jobs as a list to filter, to walk through and to act on; only what is in view is drawn. */
import { caretDownIcon, caretRightIcon, FilterBox } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Job } from '../api';
import { useClock } from '../components/clock';
import { type IRowPlace, ROW, RowList, rowProps } from '../components/rowlist';
import { useSignal } from '../components/signal';
import { matches } from './filter';
import type { Folds } from './folds';
import { isOver, JobManager } from './manager';
import { JobRow } from './row';
import { CommandIDs } from './tokens';

const HEIGHT = { job: ROW, running: 48, group: 28 };
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
  folds: Folds;
  trans: TranslationBundle;
}

export function JobList({ manager, commands, folds, trans }: IJobListProps): React.ReactElement {
  const { jobs, active } = manager;
  const [filter, setFilter] = React.useState('');
  const folded = useSignal(folds.changed);
  const now = useClock(active.length ? 1000 : MINUTE);
  // what is over shows its age in minutes: its row need not be drawn each second
  const minute = Math.floor(now / MINUTE) * MINUTE;

  const items = React.useMemo(() => {
    const shown = jobs.filter(job => matches(job, filter));
    const group = (name: IGroup['name'], label: string, found: Job[]): Item[] => {
      const rows = folds.isClosed(name) ? [] : found.map(job => ({ job }));
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
  }, [jobs, filter, folded]);
  const toggle = (name: string) => folds.toggle(name);
  const run = React.useCallback(
    (command: string, jobId: string) => void commands.execute(command, { jobId }),
    [commands]
  );
  const keysOf = (item: Item): Record<string, () => void> => {
    if (item.job) {
      const { id } = item.job;
      return {
        Enter: () => run(CommandIDs.open, id),
        Delete: () => run(CommandIDs.remove, id)
      };
    }
    const { name } = item.group;
    const fold = (wanted: boolean) => folds.isClosed(name) !== wanted || toggle(name);
    return {
      Enter: () => toggle(name),
      ' ': () => toggle(name),
      ArrowLeft: () => fold(false),
      ArrowRight: () => fold(true)
    };
  };

  return (
    <>
      <div className="jp-perijove-filter">
        <FilterBox
          placeholder={trans.__('Filter jobs')}
          updateFilter={(_, query) => setFilter(query ?? '')}
          useFuzzyFilter={false}
          caseSensitive={false}
          showIcon={true}
        />
      </div>
      {!items.length && (
        <p className="jp-perijove-hint">{trans.__('No job matches "%1".', filter)}</p>
      )}
      <RowList
        label={trans.__('Jobs')}
        items={items}
        keyOf={keyOf}
        heightOf={height}
        keysOf={keysOf}
        draw={(item, place) =>
          item.job ? (
            <JobRow
              job={item.job}
              now={isOver(item.job) ? minute : now}
              trans={trans}
              onRun={run}
              {...place}
            />
          ) : (
            <GroupHead
              {...item.group}
              open={!folds.isClosed(item.group.name)}
              place={place}
              onToggle={toggle}
            />
          )
        }
      />
    </>
  );
}

function GroupHead(
  props: IGroup & { open: boolean; place: IRowPlace; onToggle(name: IGroup['name']): void }
): React.ReactElement {
  const icon = props.open ? caretDownIcon : caretRightIcon;
  const { className, ...row } = rowProps(props.name, props.place);
  return (
    <div
      {...row}
      className={`${className} jp-perijove-group`}
      aria-expanded={props.open}
      onClick={() => props.onToggle(props.name)}
    >
      <icon.react tag="span" className="jp-perijove-caret" width="16px" height="16px" />
      {props.label} <span className="jp-perijove-count">{props.count}</span>
    </div>
  );
}

function keyOf(item: Item): string {
  return item.job ? item.job.id : item.group.name;
}

function height(item: Item): number {
  return !item.job ? HEIGHT.group : item.job.state === 'running' ? HEIGHT.running : HEIGHT.job;
}
