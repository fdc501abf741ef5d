/** A line of the table of runs: a run, or the head of a group. */
import { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { RunRow } from '../api';
import { Sparkline } from '../components/sparkline';
import { Dot } from '../components/state';
import { toNumber, type IColumn } from './columns';
import { cellText, figure, statusText, tone } from './format';
import { idOf, keyOf, type IGroup, type Line } from './groups';
import type { Selection } from './selection';
import type { RunTable } from './table';

export interface ICell {
  column: IColumn;
  title: string;
  /** Pixels. */
  left: number;
  width: number;
  /** Does it have numbers? */
  numeric: boolean;
  /** Is the metric's course drawn in it? */
  spark: boolean;
}

export interface IGridRowProps {
  line: Line;
  run: RunRow | null;
  depth: number;
  groupOpen: boolean;
  index: number;
  top: number;
  width: number;
  nameWidth: number;
  cells: ICell[];
  now: number;
  spark: readonly number[] | undefined;
  selected: boolean;
  active: boolean;
  open: boolean;
  tree: boolean;
  /** What is edited in it: the run's id and the column's name. */
  editing: string | null;
  table: RunTable;
  selection: Selection;
  trans: TranslationBundle;
  onOpen(runId: string): void;
  onEdit(runId: string, column: IColumn | null, value: string): void;
  onEditing(what: string | null): void;
}

/** What of a row is compared: a line is made anew each time, a run is not. */
function isSame(before: IGridRowProps, after: IGridRowProps): boolean {
  return (Object.keys(after) as (keyof IGridRowProps)[]).every(
    key =>
      before[key] === after[key] ||
      (key === 'line' && before.line.kind === after.line.kind && after.line.kind !== 'group') ||
      typeof after[key] === 'function'
  );
}

export const GridRow = React.memo(function GridRow(props: IGridRowProps): React.ReactElement {
  const { line, run, top, width } = props;
  const style = { transform: `translateY(${top}px)`, width };
  if (line.kind === 'group') {
    return <GroupRow {...props} group={line.group} />;
  }
  if (!run) {
    return (
      <div className="jp-perijove-grid-row jp-mod-missing" role="row" style={style}>
        <span />
      </div>
    );
  }
  const isDeleted = run.lifecycle_stage === 'deleted';
  return (
    <div
      id={idOf(run.run_id)}
      className={[
        'jp-perijove-grid-row',
        props.selected ? 'jp-mod-selected' : '',
        props.active ? 'jp-mod-active' : '',
        isDeleted ? 'jp-mod-deleted' : ''
      ].join(' ')}
      role="row"
      aria-selected={props.selected}
      aria-rowindex={props.index + 2}
      data-run-id={run.run_id}
      style={style}
      onMouseDown={() => props.selection.activate(run.run_id)}
      onDoubleClick={() => props.onOpen(run.run_id)}
    >
      <NameCell {...props} run={run} />
      {props.cells.map(cell => (
        <Cell key={cell.column.name} {...props} run={run} cell={cell} />
      ))}
    </div>
  );
}, isSame);

function NameCell(props: IGridRowProps & { run: RunRow }): React.ReactElement {
  const { run, trans, table, selection } = props;
  const caret = props.open ? caretDownIcon : caretRightIcon;
  const isNested = props.tree && run.children > 0;
  const editing = props.editing === `${run.run_id} `;
  const label = props.open ? trans.__('Hide nested runs') : trans.__('Show nested runs');
  return (
    <div className="jp-perijove-grid-name" role="gridcell" style={{ width: props.nameWidth }}>
      <input
        type="checkbox"
        tabIndex={-1}
        checked={props.selected}
        aria-label={trans.__('Select %1', run.name)}
        onDoubleClick={event => event.stopPropagation()}
        onClick={event => {
          if (event.shiftKey) {
            event.preventDefault();
            selection.extend(run.run_id, table);
          } else {
            selection.toggle(run.run_id);
          }
        }}
        onChange={() => undefined}
      />
      <span style={{ width: 14 * props.depth }} />
      {isNested ? (
        <button
          className="jp-perijove-caret"
          tabIndex={-1}
          title={label}
          aria-label={label}
          aria-expanded={props.open}
          onClick={() => void table.toggle(run.run_id)}
        >
          <caret.react tag="span" width="14px" height="14px" />
        </button>
      ) : (
        props.tree && <span className="jp-perijove-caret" />
      )}
      <Dot tone={tone(run.status)} label={statusText(run.status, trans)} />
      {editing ? (
        <Editor
          value={run.name}
          label={trans.__('Name of the run')}
          onDone={value => {
            props.onEditing(null);
            if (value !== null && value !== run.name) {
              props.onEdit(run.run_id, null, value);
            }
          }}
        />
      ) : (
        <a
          className="jp-perijove-runlink"
          title={run.name}
          onClick={event => {
            event.stopPropagation();
            props.onOpen(run.run_id);
          }}
        >
          <bdi>{run.name}</bdi>
        </a>
      )}
      {isNested && <small>{run.children}</small>}
    </div>
  );
}

function Cell(props: IGridRowProps & { run: RunRow; cell: ICell }): React.ReactElement {
  const { run, cell, trans } = props;
  const { column } = cell;
  const text = cellText(run, column, trans, props.now);
  const style = { left: cell.left, width: cell.width };
  const isTag = column.kind === 'tags';
  if (isTag && props.editing === `${run.run_id} ${column.name}`) {
    return (
      <div role="gridcell" className="jp-mod-tags" style={style}>
        <Editor
          value={run.tags?.[column.key] ?? ''}
          label={trans.__('Tag %1', column.key)}
          onDone={value => {
            props.onEditing(null);
            if (value !== null && value !== (run.tags?.[column.key] ?? '')) {
              props.onEdit(run.run_id, column, value);
            }
          }}
        />
      </div>
    );
  }
  const title =
    column.kind === 'metrics'
      ? String(run.metrics?.[column.key] ?? '')
      : column.key === 'start_time' && run.started_at
        ? new Date(run.started_at).toLocaleString()
        : text;
  return (
    <div
      role="gridcell"
      className={`jp-mod-${column.kind}${cell.numeric ? ' jp-mod-number' : ''}`}
      style={style}
      title={title}
      onDoubleClick={
        isTag
          ? event => {
              event.stopPropagation();
              props.onEditing(`${run.run_id} ${column.name}`);
            }
          : undefined
      }
    >
      <bdi>{text}</bdi>
      {cell.spark && <Sparkline values={props.spark} failed={run.status === 'FAILED'} />}
    </div>
  );
}

function GroupRow(props: IGridRowProps & { group: IGroup }): React.ReactElement {
  const { group, trans, table } = props;
  const caret = props.groupOpen ? caretDownIcon : caretRightIcon;
  const said = [
    trans._n('%1 run', '%1 runs', group.runs.length),
    group.running ? trans.__('%1 running', group.running) : ''
  ];
  return (
    <div
      id={idOf(keyOf(props.line)!)}
      className={`jp-perijove-grid-row jp-mod-group${props.active ? ' jp-mod-active' : ''}`}
      role="row"
      aria-expanded={props.groupOpen}
      aria-rowindex={props.index + 2}
      style={{ transform: `translateY(${props.top}px)`, width: props.width }}
      onClick={() => table.toggleGroup(group.value)}
    >
      <div className="jp-perijove-grid-name" role="gridcell" style={{ width: props.nameWidth }}>
        <span className="jp-perijove-caret">
          <caret.react tag="span" width="14px" height="14px" />
        </span>
        <b title={group.value ?? ''}>
          <bdi>{group.value ?? trans.__('without')}</bdi>
        </b>
        <small>{said.filter(Boolean).join(' · ')}</small>
      </div>
      {props.cells.map(({ column, left, width, spark }) => {
        const values = column.kind === 'metrics' ? finite(group.runs, column.key) : [];
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        return (
          <div
            key={column.name}
            role="gridcell"
            className={`jp-mod-${column.kind}${spark ? ' jp-mod-spark' : ''}`}
            style={{ left, width }}
            title={values.length ? trans.__('mean of %1', values.length) : ''}
          >
            {values.length > 0 && `⌀ ${figure(mean)}`}
          </div>
        );
      })}
    </div>
  );
}

function finite(runs: readonly RunRow[], key: string): number[] {
  return runs.map(run => toNumber(run.metrics?.[key])).filter(Number.isFinite);
}

/** A text that is edited where it stands; null: it was left as it is. */
function Editor(props: {
  value: string;
  label: string;
  onDone(value: string | null): void;
}): React.ReactElement {
  const done = React.useRef(false);
  const finish = (value: string | null) => {
    if (!done.current) {
      done.current = true;
      props.onDone(value);
    }
  };
  return (
    <input
      className="jp-perijove-edit"
      aria-label={props.label}
      defaultValue={props.value}
      ref={element => element?.focus()}
      onFocus={event => event.target.select()}
      onMouseDown={event => event.stopPropagation()}
      onDoubleClick={event => event.stopPropagation()}
      onBlur={event => finish(event.target.value)}
      onKeyDown={event => {
        event.stopPropagation();
        if (event.key === 'Enter') {
          finish(event.currentTarget.value);
        } else if (event.key === 'Escape') {
          finish(null);
        }
      }}
    />
  );
}
