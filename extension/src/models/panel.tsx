/** The left panel's section of registered models. */
import { TranslationBundle } from '@jupyterlab/translation';
import { addIcon, caretDownIcon, caretRightIcon, FilterBox } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import type { RegisteredModel } from '../api';
import { useClock } from '../components/clock';
import { Loading } from '../components/loading';
import { menuOf } from '../components/menukey';
import { useSignal } from '../components/signal';
import { ago } from '../jobs/format';
import { Badge } from './badges';
import { dragModel } from './drag';
import { bestUri } from './format';
import { ModelManager } from './manager';
import { CommandIDs } from './tokens';

/** Pixels of a row. */
const ROW = 42;
/** With fewer models there is nothing to search. */
const MANY = 8;

export function ModelsSection(props: {
  manager: ModelManager;
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
  const { models } = manager;
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = models.filter(model => words.every(word => textOf(model).includes(word)));
  const virtualizer = useVirtualizer({
    count: open ? shown.length : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 6
  });
  const run = (id: string, name: string) => void commands.execute(id, { name });
  const onKeyDown = (event: React.KeyboardEvent) => {
    const at = shown.findIndex(({ name }) => name === selected);
    const go = (to: number) => {
      const place = Math.max(0, Math.min(shown.length - 1, to));
      if (shown[place]) {
        setSelected(shown[place].name);
        virtualizer.scrollToIndex(place);
      }
    };
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(shown.length - 1),
      Enter: () => shown[at] && run(CommandIDs.open, shown[at].name),
      F2: () => shown[at] && run(CommandIDs.rename, shown[at].name),
      Delete: () => shown[at] && run(CommandIDs.remove, shown[at].name)
    };
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  };
  const active =
    selected === null
      ? undefined
      : `jp-perijove-model-${shown.findIndex(({ name }) => name === selected)}`;
  const register = trans.__('Register model…');
  const archived = trans.__('Show archived models');
  const caret = open ? caretDownIcon : caretRightIcon;
  return (
    <section className="jp-perijove-section" aria-label={trans.__('Models')}>
      <header className="jp-perijove-head jp-mod-closable">
        <button aria-expanded={open} onClick={() => setOpen(!open)}>
          <caret.react tag="span" className="jp-perijove-caret" width="16px" height="16px" />
          {trans.__('Models')}
        </button>
        <span className="jp-perijove-count">{manager.isReady ? models.length : ''}</span>
        <span className="jp-perijove-spacer" />
        {open && (
          <label className="jp-perijove-deleted" title={archived}>
            <input
              type="checkbox"
              aria-label={archived}
              checked={manager.showArchived}
              onChange={event => (manager.showArchived = event.target.checked)}
            />
            {trans.__('archived')}
          </label>
        )}
        <button
          className="jp-perijove-head-action"
          title={register}
          aria-label={register}
          onClick={() => void commands.execute(CommandIDs.register)}
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
      {open && models.length > MANY && (
        <div className="jp-perijove-filter">
          <FilterBox
            placeholder={trans.__('Filter models')}
            updateFilter={(_, query) => setFilter(query ?? '')}
            useFuzzyFilter={false}
            caseSensitive={false}
            showIcon={true}
          />
        </div>
      )}
      {open && manager.isReady && !shown.length && (
        <p className="jp-perijove-hint">
          {models.length
            ? trans.__('No model matches "%1".', filter)
            : trans.__(
                'None yet. Register what a run has logged, or files of any framework: the + above.'
              )}
        </p>
      )}
      {open && shown.length > 0 && (
        <div
          ref={scroller}
          className="jp-perijove-models"
          role="listbox"
          tabIndex={0}
          aria-label={trans.__('Models')}
          aria-activedescendant={active}
          onKeyDown={onKeyDown}
          onContextMenu={menuOf(active)}
        >
          <div style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
            {virtualizer.getVirtualItems().map(({ index, start }) => (
              <div
                key={shown[index].name}
                className="jp-perijove-slot"
                style={{ height: ROW, transform: `translateY(${start}px)` }}
                role="presentation"
              >
                <Row
                  id={`jp-perijove-model-${index}`}
                  model={shown[index]}
                  manager={manager}
                  now={now}
                  selected={shown[index].name === selected}
                  trans={trans}
                  onSelect={() => setSelected(shown[index].name)}
                  onOpen={() => run(CommandIDs.open, shown[index].name)}
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
  id: string;
  model: RegisteredModel;
  manager: ModelManager;
  now: number;
  selected: boolean;
  trans: TranslationBundle;
  onSelect(): void;
  onOpen(): void;
}): React.ReactElement {
  const { model, now, trans } = props;
  const { name, latest_version: latest, updated_at: changed } = model;
  const said = [
    model.archived ? trans.__('archived') : '',
    trans._n('%1 version', '%1 versions', model.versions),
    changed ? ago(changed, trans, now) : ''
  ].filter(Boolean);
  return (
    <div
      id={props.id}
      className={`jp-perijove-row${props.selected ? ' jp-mod-selected' : ''}`}
      role="option"
      aria-selected={props.selected}
      data-model-name={name}
      title={[name, model.description?.slice(0, 300)].filter(Boolean).join('\n')}
      onMouseDown={event => {
        props.onSelect();
        if (latest) {
          dragModel(event, props.manager, { name, version: latest, uri: bestUri(model) });
        }
      }}
      onClick={props.onOpen}
    >
      <div className="jp-perijove-row-text">
        <div className="jp-perijove-row-first">
          <span className="jp-perijove-row-name">
            <bdi>{name}</bdi> <small>{latest ? `v${latest}` : ''}</small>
          </span>
          <span className="jp-perijove-badges">
            {model.aliases?.slice(0, 3).map(alias => (
              <Badge key={alias.alias} alias={alias} version={true} trans={trans} />
            ))}
          </span>
        </div>
        <span className="jp-perijove-row-summary">{said.join(' · ')}</span>
      </div>
    </div>
  );
}

/** What a filter looks into. */
function textOf(model: RegisteredModel): string {
  const tags = Object.entries(model.tags ?? {}).flat();
  const aliases = model.aliases?.map(({ alias }) => alias) ?? [];
  return [model.name, ...aliases, ...tags].join(' ').toLowerCase();
}
