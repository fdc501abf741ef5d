/** The left panel's section of experiments. */
import { TranslationBundle } from '@jupyterlab/translation';
import { addIcon, caretDownIcon, caretRightIcon, FilterBox } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import type { Experiment } from '../api';
import { useClock } from '../components/clock';
import { Loading } from '../components/loading';
import { menuOf } from '../components/menukey';
import { useSignal } from '../components/signal';
import { Dot } from '../components/state';
import { ago } from '../jobs/format';
import { ExperimentManager } from './manager';
import { CommandIDs } from './tokens';

/** Pixels of a row. */
const ROW = 42;
/** With fewer experiments there is nothing to search. */
const MANY = 8;

export function ExperimentsSection(props: {
  manager: ExperimentManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}): React.ReactElement {
  const { manager, commands, trans } = props;
  useSignal(manager.changed);
  const now = useClock(60_000);
  const [open, setOpen] = React.useState(true);
  const [filter, setFilter] = React.useState('');
  const [selected, setSelected] = React.useState<string | null>(null);
  const scroller = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => void manager.refresh(), [manager]);
  const { experiments } = manager;
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = experiments.filter(({ name }) =>
    words.every(word => name.toLowerCase().includes(word))
  );
  const virtualizer = useVirtualizer({
    count: open ? shown.length : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 6
  });
  const run = (id: string, experimentId: string) => void commands.execute(id, { experimentId });
  const onKeyDown = (event: React.KeyboardEvent) => {
    const at = shown.findIndex(({ id }) => id === selected);
    const go = (to: number) => {
      const place = Math.max(0, Math.min(shown.length - 1, to));
      if (shown[place]) {
        setSelected(shown[place].id);
        virtualizer.scrollToIndex(place);
      }
    };
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(shown.length - 1),
      Enter: () => shown[at] && run(CommandIDs.open, shown[at].id),
      F2: () => shown[at] && run(CommandIDs.rename, shown[at].id),
      Delete: () => shown[at] && run(CommandIDs.remove, shown[at].id)
    };
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  };
  const active = selected ? `jp-perijove-experiment-${selected}` : undefined;
  const create = trans.__('Create experiment…');
  const caret = open ? caretDownIcon : caretRightIcon;
  const deleted = trans.__('Show deleted experiments');
  return (
    <section className="jp-perijove-section" aria-label={trans.__('Experiments')}>
      <header className="jp-perijove-head jp-mod-closable">
        <button aria-expanded={open} onClick={() => setOpen(!open)}>
          <caret.react tag="span" className="jp-perijove-caret" width="16px" height="16px" />
          {trans.__('Experiments')}
        </button>
        <span className="jp-perijove-count">{manager.isReady ? experiments.length : ''}</span>
        <span className="jp-perijove-spacer" />
        {open && (
          <label className="jp-perijove-deleted" title={deleted}>
            <input
              type="checkbox"
              aria-label={deleted}
              checked={manager.showDeleted}
              onChange={event => (manager.showDeleted = event.target.checked)}
            />
            {trans.__('deleted')}
          </label>
        )}
        <button
          className="jp-perijove-head-action"
          title={create}
          aria-label={create}
          onClick={() => void commands.execute(CommandIDs.create)}
        >
          <addIcon.react tag="span" width="14px" height="14px" />
        </button>
      </header>
      {open && manager.error && (
        <div className="jp-perijove-broken" role="alert">
          <p>{manager.error.text}</p>
          <button className="jp-Button jp-mod-styled" onClick={() => void manager.refresh()}>
            {trans.__('Try again')}
          </button>
        </div>
      )}
      {open && !manager.isReady && !manager.error && <Loading lines={1} trans={trans} />}
      {open && experiments.length > MANY && (
        <div className="jp-perijove-filter">
          <FilterBox
            placeholder={trans.__('Filter experiments')}
            updateFilter={(_, query) => setFilter(query ?? '')}
            useFuzzyFilter={false}
            caseSensitive={false}
            showIcon={true}
          />
        </div>
      )}
      {open && manager.isReady && !shown.length && (
        <p className="jp-perijove-hint">
          {experiments.length
            ? trans.__('No experiment matches "%1".', filter)
            : trans.__('None yet. A job makes the one it names; MLflow code does, too.')}
        </p>
      )}
      {open && shown.length > 0 && (
        <div
          ref={scroller}
          className="jp-perijove-experiments"
          role="listbox"
          tabIndex={0}
          aria-label={trans.__('Experiments')}
          aria-activedescendant={active}
          onKeyDown={onKeyDown}
          onContextMenu={menuOf(active)}
        >
          <div style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
            {virtualizer.getVirtualItems().map(({ index, start }) => (
              <div
                key={shown[index].id}
                className="jp-perijove-slot"
                style={{ height: ROW, transform: `translateY(${start}px)` }}
                role="presentation"
              >
                <Row
                  experiment={shown[index]}
                  now={now}
                  selected={shown[index].id === selected}
                  trans={trans}
                  onSelect={() => setSelected(shown[index].id)}
                  onOpen={() => run(CommandIDs.open, shown[index].id)}
                />
              </div>
            ))}
          </div>
        </div>
      )}
    </section>
  );
}

function Row(props: {
  experiment: Experiment;
  now: number;
  selected: boolean;
  trans: TranslationBundle;
  onSelect(): void;
  onOpen(): void;
}): React.ReactElement {
  const { experiment, now, trans } = props;
  const { runs, running } = experiment;
  const isDeleted = experiment.lifecycle_stage === 'deleted';
  const used = experiment.last_run_at ?? experiment.updated_at;
  const said = [
    isDeleted ? trans.__('deleted') : '',
    typeof runs === 'number' ? trans._n('%1 run', '%1 runs', runs) : '',
    running ? trans.__('%1 running', running) : '',
    used ? ago(used, trans, now) : ''
  ].filter(Boolean);
  return (
    <div
      id={`jp-perijove-experiment-${experiment.id}`}
      className={`jp-perijove-row${props.selected ? ' jp-mod-selected' : ''}`}
      role="option"
      aria-selected={props.selected}
      data-experiment-id={experiment.id}
      title={[experiment.name, experiment.description].filter(Boolean).join('\n')}
      onMouseDown={props.onSelect}
      onClick={props.onOpen}
    >
      <Dot
        tone={isDeleted ? 'canceled' : running ? 'running' : 'waiting'}
        label={running ? trans.__('running') : isDeleted ? trans.__('deleted') : trans.__('idle')}
      />
      <div className="jp-perijove-row-text">
        <span className="jp-perijove-row-name">
          <bdi>{experiment.name}</bdi>
        </span>
        <span className="jp-perijove-row-summary">{said.join(' · ')}</span>
      </div>
    </div>
  );
}
