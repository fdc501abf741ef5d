/** The head of the table of runs: columns are sorted by, resized, and moved to another place. */
import { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretUpIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { selectAll } from './actions';
import { ATTRIBUTES, moved, NAME } from './columns';
import type { ICell } from './gridrow';
import type { IOrder } from './question';
import type { Selection } from './selection';
import type { RunTable } from './table';

/** Pixels: the least width of a column, and how far the pointer goes before it moves one. */
const LEAST = 48;
const STEP = 5;

export interface IGridHeadProps {
  table: RunTable;
  selection: Selection;
  cells: readonly ICell[];
  /** Pixels. */
  height: number;
  width: number;
  nameWidth: number;
  trans: TranslationBundle;
  /** A column is being resized, or (empty) was. */
  onDrag(widths: Record<string, number>): void;
}

export function GridHead(props: IGridHeadProps): React.ReactElement {
  const { table, selection, cells, nameWidth, trans } = props;
  const { order } = table;
  const names = table.columns.map(({ name }) => name);
  /** Before which column the one that is dragged would be put. */
  const [drop, setDrop] = React.useState<number | null>(null);
  const head = React.useRef<HTMLDivElement>(null);
  const dragged = React.useRef(false);

  const resize = (name: string, size: number) => (event: React.PointerEvent<HTMLElement>) => {
    event.preventDefault();
    event.stopPropagation();
    const handle = event.currentTarget;
    const start = event.clientX;
    let wide = size;
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = move => {
      wide = Math.max(LEAST, Math.round(size + move.clientX - start));
      props.onDrag({ [name]: wide });
    };
    handle.onpointerup = () => {
      handle.onpointermove = handle.onpointerup = null;
      props.onDrag({});
      void table.ask({ widths: { ...table.query.widths, [name]: wide } });
    };
  };
  const move = (name: string, to: number) => {
    const next = moved(names, names.indexOf(name), to);
    if (next.join() !== names.join()) {
      void table.ask({ columns: next });
    }
  };
  /** The gap between columns that is nearest to the pointer. */
  const gap = (clientX: number) => {
    const x = clientX - head.current!.getBoundingClientRect().left;
    const before = cells.filter(({ left, width }) => left + width / 2 < x).pop();
    return before ? names.indexOf(before.column.name) + 1 : names.indexOf(cells[0].column.name);
  };
  const drag = (name: string) => (event: React.PointerEvent<HTMLElement>) => {
    if (event.button !== 0) {
      return;
    }
    const handle = event.currentTarget;
    const start = event.clientX;
    let to: number | null = null;
    handle.setPointerCapture(event.pointerId);
    dragged.current = false;
    handle.onpointermove = ({ clientX }) => {
      if (to !== null || Math.abs(clientX - start) > STEP) {
        dragged.current = true;
        setDrop((to = gap(clientX)));
      }
    };
    handle.onpointerup = handle.onpointercancel = () => {
      handle.onpointermove = handle.onpointerup = handle.onpointercancel = null;
      setDrop(null);
      if (to !== null) {
        move(name, to);
      }
    };
  };
  const sort = (name: string) => {
    // the click that ends a drag sorts nothing
    if (!dragged.current) {
      void table.sort(name);
    }
    dragged.current = false;
  };
  const mark =
    drop === null
      ? undefined
      : (cells.find(({ column }) => column.name === names[drop])?.left ??
        Math.max(...cells.map(({ left, width }) => left + width)));

  return (
    <div
      ref={head}
      className="jp-perijove-grid-head"
      role="row"
      style={{ width: props.width, height: props.height }}
    >
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
            selection.size ? selection.clear() : void selectAll(table, selection, trans)
          }
        />
        <HeadButton
          name={NAME}
          hint={NAME}
          title={trans.__('run')}
          sortable={true}
          order={order}
          onSort={sort}
        />
        <span className="jp-perijove-resize" onPointerDown={resize(NAME, nameWidth)} />
      </div>
      {cells.map(({ column, title, left, width, numeric, spark }) => (
        <div
          key={column.name}
          role="columnheader"
          className={[
            `jp-mod-${column.kind}`,
            numeric ? 'jp-mod-number' : '',
            spark ? 'jp-mod-spark' : ''
          ].join(' ')}
          style={{ left, width }}
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
            hint={`${column.name}\n${trans.__('Drag it, or press Shift and an arrow key, to move it.')}`}
            title={title}
            sortable={column.kind !== 'attributes' || Boolean(ATTRIBUTES[column.key]?.sortable)}
            order={order}
            onSort={sort}
            onPointerDown={drag(column.name)}
            onMove={step => {
              const at = names.indexOf(column.name);
              move(column.name, step > 0 ? at + 2 : at - 1);
            }}
          />
          <span className="jp-perijove-resize" onPointerDown={resize(column.name, width)} />
        </div>
      ))}
      {mark !== undefined && <i className="jp-perijove-drop-mark" style={{ left: mark }} />}
    </div>
  );
}

function HeadButton(props: {
  name: string;
  hint: string;
  title: string;
  sortable: boolean;
  order: IOrder | null;
  onSort(name: string): void;
  onPointerDown?(event: React.PointerEvent<HTMLElement>): void;
  /** One place to the left (-1) or to the right (1). */
  onMove?(step: number): void;
}): React.ReactElement {
  const { order, name, title, onMove } = props;
  const icon = order?.descending ? caretDownIcon : caretUpIcon;
  return (
    <button
      title={props.hint}
      aria-disabled={!props.sortable}
      data-column={name}
      onClick={() => props.sortable && props.onSort(name)}
      onPointerDown={props.onPointerDown}
      onKeyDown={event => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (onMove && step && event.shiftKey) {
          event.preventDefault();
          onMove(step);
        }
      }}
    >
      <bdi>{title}</bdi>
      {order?.name === name && <icon.react tag="span" width="14px" height="14px" />}
    </button>
  );
}
