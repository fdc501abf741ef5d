/** The runs of an experiment: sorted by a click, filtered in MLflow's language, selected. */
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import type { Experiment, RunColumn, RunPage, RunRow } from '../api';
import { Dot } from '../components/state';
import { ago } from '../jobs/format';
import { parseColumn } from '../runs/columns';
import { columnTitles } from '../runs/format';
import { useTrait } from './model';
import { trans } from './trans';
import { cell, direction, nextOrder, runTone, valueText } from './values';

const HEIGHT = 28;
/** Of each kind, when no columns are chosen. */
const FEW = 5;
const STARTED = 'attributes.start_time';

interface IData {
  experiment: Experiment;
  page: RunPage;
  columns: RunColumn[];
}

export function RunTable(): React.ReactElement {
  const [{ experiment, page, columns: known }] = useTrait<IData>('data');
  const [order, setOrder] = useTrait<string[]>('order_by');
  const [chosen] = useTrait<string[] | null>('columns');
  const [limit, setLimit] = useTrait<number>('limit');
  const [selected, setSelected] = useTrait<string[]>('selected');
  const scroller = React.useRef<HTMLDivElement>(null);
  const { runs } = page;
  const columns = chosen ?? common(known);
  const virtualizer = useVirtualizer({
    count: runs.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => HEIGHT,
    overscan: 10
  });
  const items = virtualizer.getVirtualItems();
  const top = items[0]?.start ?? 0;
  const bottom = virtualizer.getTotalSize() - (items[items.length - 1]?.end ?? 0);
  const isAtEnd = items.length > 0 && items[items.length - 1].index === runs.length - 1;
  React.useEffect(() => {
    // the kernel answers with more runs than it was asked for before
    if (isAtEnd && scroller.current!.scrollTop > 0 && runs.length < page.total) {
      setLimit(Math.max(limit, 2 * runs.length));
    }
  }, [isAtEnd, runs.length, page.total]);

  const toggle = (run: RunRow, isOn: boolean) =>
    setSelected(isOn ? [...selected, run.run_id] : selected.filter(id => id !== run.run_id));
  const head = (column: string, label: string, isNumber = false) => {
    const way = direction(order, column);
    return (
      <th
        key={column}
        className={isNumber ? 'jp-mod-number' : ''}
        aria-sort={way === 'ASC' ? 'ascending' : way === 'DESC' ? 'descending' : 'none'}
      >
        <button title={column} onClick={() => setOrder(nextOrder(order, column))}>
          {label}
          {way && <span aria-hidden="true">{way === 'ASC' ? ' ▴' : ' ▾'}</span>}
        </button>
      </th>
    );
  };
  const titles = columnTitles(
    columns.map(name => parseColumn(name) ?? { kind: 'attributes' as const, key: name }),
    trans
  );
  const isNumber = (column: string) =>
    column.startsWith('metrics.') ||
    known.some(each => each.name === column && each.numeric === true);
  return (
    <>
      <div className="jp-perijove-tools">
        <b>
          <bdi>{experiment.name}</bdi>
        </b>
        <span className="jp-perijove-count">
          {trans._n('%1 run', '%1 runs', page.total)}
          {page.running ? ` · ${trans.__('%1 running', page.running)}` : ''}
          {selected.length ? ` · ${trans.__('%1 selected', selected.length)}` : ''}
        </span>
        <Filter />
      </div>
      <div ref={scroller} className="jp-perijove-runs jp-mod-scroll" tabIndex={0}>
        <table className="jp-perijove-run-table">
          <thead>
            <tr>
              <th />
              {head('attributes.run_name', trans.__('run'))}
              {head(STARTED, trans.__('started'))}
              {columns.map((column, at) => head(column, titles[at], isNumber(column)))}
            </tr>
          </thead>
          <tbody>
            {top > 0 && <tr style={{ height: top }} aria-hidden="true" />}
            {items.map(({ index }) => {
              const run = runs[index];
              const isSelected = selected.includes(run.run_id);
              return (
                <tr
                  key={run.run_id}
                  aria-selected={isSelected}
                  className={isSelected ? 'jp-mod-selected' : ''}
                  onClick={() => toggle(run, !isSelected)}
                >
                  <td>
                    <input
                      type="checkbox"
                      aria-label={trans.__('Select %1', run.name)}
                      checked={isSelected}
                      onChange={event => toggle(run, event.target.checked)}
                      onClick={event => event.stopPropagation()}
                    />
                  </td>
                  <td title={run.run_id}>
                    <Dot tone={runTone(run.status)} label={run.status.toLowerCase()} />
                    <bdi>{run.name}</bdi>
                  </td>
                  <td>{run.started_at ? ago(run.started_at, trans) : '–'}</td>
                  {columns.map(column => {
                    const value = cell(run, column);
                    return (
                      <td
                        key={column}
                        className={isNumber(column) ? 'jp-mod-number' : ''}
                        title={value === null || value === undefined ? undefined : String(value)}
                      >
                        {valueText(value)}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
            {bottom > 0 && <tr style={{ height: bottom }} aria-hidden="true" />}
          </tbody>
        </table>
        {!runs.length && (
          <p className="jp-perijove-hint">
            {trans.__('No runs yet, or none that the filter is true of.')}
          </p>
        )}
      </div>
    </>
  );
}

/** MLflow's filter, asked for when Enter is pressed or the field is left. */
function Filter(): React.ReactElement {
  const [filter, setFilter] = useTrait<string>('filter');
  const [draft, setDraft] = React.useState(filter);
  React.useEffect(() => setDraft(filter), [filter]);
  const ask = () => draft !== filter && setFilter(draft);
  return (
    <input
      className="jp-perijove-search"
      type="search"
      spellCheck={false}
      placeholder={trans.__('Filter, for example metrics.auc > 0.9')}
      aria-label={trans.__('Filter runs')}
      value={draft}
      onChange={event => setDraft(event.target.value)}
      onBlur={ask}
      onKeyDown={event => event.key === 'Enter' && ask()}
    />
  );
}

/** Metrics and parameters that most runs have. */
function common(columns: readonly RunColumn[]): string[] {
  const of = (kind: RunColumn['kind']) =>
    columns
      .filter(column => column.kind === kind && !column.key.startsWith('system/'))
      .slice(0, FEW)
      .map(column => column.name);
  return [...of('metric'), ...of('param')];
}
