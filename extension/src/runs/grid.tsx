/** The table of runs: rows and columns are drawn where they are seen. */
import { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretUpIcon } from '@jupyterlab/ui-components';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import { useClock } from '../components/clock';
import { menuOf } from '../components/menukey';
import { ATTRIBUTES, isNumeric, type IColumn } from './columns';
import { columnTitle } from './format';
import { GridRow, type ICell } from './gridrow';
import { useKeys } from './gridkeys';
import type { Selection } from './selection';
import type { RunTable } from './table';

/** Pixels. */
export const ROW = 28;
const WIDTH = { name: 240, metrics: 108, params: 104, tags: 110, spark: 76, least: 48 };
/** The name's column in the widths of a view. */
const NAME = 'attributes.run_name';

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
  const { columns, sparkMetric, order } = table;
  const widths = { ...table.query.widths, ...drag };
  const width = (column: IColumn) =>
    widths[column.name] ??
    (column.kind === 'attributes' ? (ATTRIBUTES[column.key]?.width ?? 100) : WIDTH[column.kind]) +
      (column.kind === 'metrics' && column.key === sparkMetric ? WIDTH.spark : 0);
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
    estimateSize: index => width(columns[index]),
    overscan: 2
  });
  const shape = columns.map(column => `${column.name}:${width(column)}`).join('\n');
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
        left: nameWidth + start,
        width: size,
        numeric: figures.split('\n').includes(columns[index].name),
        spark: columns[index].kind === 'metrics' && columns[index].key === sparkMetric
      })),
    [places, shape, figures, nameWidth, sparkMetric]
  );
  const active = selection.active ? `jp-perijove-run-${selection.active}` : undefined;
  const total = nameWidth + across.getTotalSize();
  const onKeyDown = useKeys({ ...props, rows, editing, onRename: setEditing });

  const resize = (name: string, size: number) => (event: React.PointerEvent<HTMLElement>) => {
    event.preventDefault();
    event.stopPropagation();
    const handle = event.currentTarget;
    const start = event.clientX;
    let wide = size;
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = move => {
      wide = Math.max(WIDTH.least, Math.round(size + move.clientX - start));
      setDrag({ [name]: wide });
    };
    handle.onpointerup = () => {
      handle.onpointermove = handle.onpointerup = null;
      setDrag({});
      void table.ask({ widths: { ...table.query.widths, [name]: wide } });
    };
  };

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
      onContextMenu={menuOf(active)}
    >
      <div className="jp-perijove-grid-head" role="row" style={{ width: total, height: ROW }}>
        <div className="jp-perijove-grid-name" style={{ width: nameWidth }} role="columnheader">
          <input
            type="checkbox"
            tabIndex={-1}
            title={trans.__('Select all runs')}
            aria-label={trans.__('Select all runs')}
            checked={selection.size > 0 && selection.size >= table.total}
            ref={box => {
              if (box) {
                box.indeterminate = selection.size > 0 && selection.size < table.total;
              }
            }}
            onChange={() =>
              selection.size ? selection.clear() : void table.ids().then(ids => selection.set(ids))
            }
          />
          <HeadButton
            name={NAME}
            title={trans.__('run')}
            sortable={true}
            order={order}
            onSort={name => void table.sort(name)}
          />
          <span className="jp-perijove-resize" onPointerDown={resize(NAME, nameWidth)} />
        </div>
        {cells.map(({ column, left, width: size, numeric, spark }) => (
          <div
            key={column.name}
            role="columnheader"
            className={[
              `jp-mod-${column.kind}`,
              numeric ? 'jp-mod-number' : '',
              spark ? 'jp-mod-spark' : ''
            ].join(' ')}
            style={{ left, width: size }}
            aria-sort={
              order?.name === column.name
                ? order.descending
                  ? 'descending'
                  : 'ascending'
                : undefined
            }
          >
            <HeadButton
              name={column.name}
              title={columnTitle(column, trans)}
              sortable={column.kind !== 'attributes' || Boolean(ATTRIBUTES[column.key]?.sortable)}
              order={order}
              onSort={name => void table.sort(name)}
            />
            <span className="jp-perijove-resize" onPointerDown={resize(column.name, size)} />
          </div>
        ))}
      </div>
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
              active={run ? selection.active === run.run_id : false}
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

function HeadButton(props: {
  name: string;
  title: string;
  sortable: boolean;
  order: { name: string; descending: boolean } | null;
  onSort(name: string): void;
}): React.ReactElement {
  const { order, name, title } = props;
  const icon = order?.descending ? caretDownIcon : caretUpIcon;
  return (
    <button
      title={name}
      disabled={!props.sortable}
      data-column={name}
      onClick={() => props.onSort(name)}
    >
      <bdi>{title}</bdi>
      {order?.name === name && <icon.react tag="span" width="14px" height="14px" />}
    </button>
  );
}
