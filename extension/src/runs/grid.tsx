/** The table of runs: rows and columns are drawn where they are seen. */
import { TranslationBundle } from '@jupyterlab/translation';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import { useClock } from '../components/clock';
import { menuOf } from '../components/menukey';
import { ATTRIBUTES, isNumeric, NAME, type IColumn } from './columns';
import { columnTitles } from './format';
import { GridHead } from './gridhead';
import { GridRow, type ICell } from './gridrow';
import { useKeys } from './gridkeys';
import { idOf, keyOf } from './groups';
import type { Selection } from './selection';
import type { RunTable } from './table';

/** Pixels. */
export const ROW = 28;
const WIDTH = { name: 240, metrics: 108, params: 104, tags: 110, spark: 76 };
/** Pixels: a character of a title, what is beside it, and what a title may widen its column to. */
const TITLE = { character: 7.5, beside: 28, most: 190 };

export interface IGridProps {
  table: RunTable;
  selection: Selection;
  trans: TranslationBundle;
  onOpen(runId: string): void;
  onDelete(runIds: string[]): void;
  /** A name (column null) or a tag was edited in place. */
  onEdit(runId: string, column: IColumn | null, value: string): void;
}

export function Grid(props: IGridProps): React.ReactElement {
  const { table, selection, trans } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const now = useClock(table.running ? 1000 : 60_000);
  const minute = Math.floor(now / 60_000) * 60_000;
  const [drag, setDrag] = React.useState<Record<string, number>>({});
  const [editing, setEditing] = React.useState<string | null>(null);
  const { columns, sparkMetric } = table;
  const widths = { ...table.query.widths, ...drag };
  const titles = columnTitles(columns, trans);
  const width = (index: number) => {
    const { name, kind, key } = columns[index];
    const titled = Math.round(titles[index].length * TITLE.character) + TITLE.beside;
    const least = kind === 'attributes' ? (ATTRIBUTES[key]?.width ?? 100) : WIDTH[kind];
    const spark = kind === 'metrics' && key === sparkMetric ? WIDTH.spark : 0;
    return widths[name] ?? Math.max(least, Math.min(TITLE.most, titled)) + spark;
  };
  const nameWidth = widths[NAME] ?? WIDTH.name;

  const rows = useVirtualizer({
    count: table.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
    // the head stands above the rows
    scrollPaddingStart: ROW
  });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => scroller.current,
    estimateSize: width,
    overscan: 2
  });
  const shape = columns.map(({ name }, index) => `${name}:${width(index)}`).join('\n');
  React.useLayoutEffect(() => across.measure(), [shape]);

  const seen = rows.getVirtualItems();
  const [first, last] = [seen[0]?.index ?? 0, seen[seen.length - 1]?.index ?? 0];
  React.useEffect(() => table.see(first, last), [first, last, table.version]);
  // what is sorted or filtered otherwise begins at its beginning
  const asked = JSON.stringify([table.query.filter, table.query.order_by, table.query.view]);
  React.useLayoutEffect(() => {
    scroller.current!.scrollTop = 0;
  }, [asked]);

  const shown = across.getVirtualItems();
  const places = shown.map(({ index, start, size }) => `${index} ${start} ${size}`).join('\n');
  // parameters that are numbers stand as figures do
  const sample = seen.flatMap(({ index }) => {
    const line = table.line(index);
    return line.kind === 'run' ? [line.run] : [];
  });
  const figures = columns
    .filter(({ kind, key }) => kind === 'params' && isNumeric(sample.map(run => run.params?.[key])))
    .map(({ name }) => name)
    .join('\n');
  const cells = React.useMemo(
    () =>
      shown.map(({ index, start, size }): ICell => ({
        column: columns[index],
        title: titles[index],
        left: nameWidth + start,
        width: size,
        numeric: figures.split('\n').includes(columns[index].name),
        spark: columns[index].kind === 'metrics' && columns[index].key === sparkMetric
      })),
    [places, shape, figures, nameWidth, sparkMetric]
  );
  const active = selection.active ? idOf(selection.active) : undefined;
  const total = nameWidth + across.getTotalSize();
  const onKeyDown = useKeys({ ...props, rows, editing, onRename: setEditing });

  return (
    <div
      ref={scroller}
      className={`jp-perijove-grid${table.isLoading ? ' jp-mod-loading' : ''}`}
      role="grid"
      tabIndex={0}
      aria-label={trans.__('Runs')}
      aria-rowcount={table.length}
      aria-multiselectable={true}
      aria-busy={table.isLoading}
      aria-activedescendant={active}
      onKeyDown={onKeyDown}
      onFocus={event => {
        // whoever comes by keyboard sees where they are
        const first = keyOf(table.line(0));
        if (!selection.active && first && event.target.matches('[role=grid]:focus-visible')) {
          selection.activate(first);
        }
      }}
      onContextMenu={menuOf(active)}
    >
      <GridHead
        table={table}
        selection={selection}
        cells={cells}
        height={ROW}
        width={total}
        nameWidth={nameWidth}
        trans={trans}
        onDrag={setDrag}
      />
      <div
        className="jp-perijove-grid-body"
        style={{ width: total, height: rows.getTotalSize() }}
        role="rowgroup"
      >
        {seen.map(({ index, start }) => {
          const line = table.line(index);
          const run = line.kind === 'run' ? line.run : null;
          return (
            <GridRow
              key={run ? `${run.run_id} ${line.kind === 'run' && line.depth}` : index}
              line={line}
              run={run}
              depth={line.kind === 'run' ? line.depth : 0}
              groupOpen={line.kind === 'group' && line.open}
              index={index}
              top={start}
              width={total}
              nameWidth={nameWidth}
              cells={cells}
              now={run?.status === 'RUNNING' ? now : minute}
              spark={run ? table.spark(run.run_id) : undefined}
              selected={run ? selection.has(run.run_id) : false}
              active={selection.active !== null && selection.active === keyOf(line)}
              open={run ? table.isOpen(run.run_id) : false}
              tree={table.isTree}
              editing={run && editing?.startsWith(`${run.run_id} `) ? editing : null}
              table={table}
              selection={selection}
              trans={trans}
              onOpen={props.onOpen}
              onEdit={props.onEdit}
              onEditing={setEditing}
            />
          );
        })}
      </div>
    </div>
  );
}
