/** The runs of experiments in the main area. */
import type { IThemeManager } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { tableRowsIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Message } from '@lumino/messaging';
import * as React from 'react';

import type { ApiError, RunColumn } from '../api';
import { Divider } from '../components/divider';
import { Document, DocumentView } from '../components/document';
import { perijoveIcon } from '../components/icons';
import { useSlow } from '../components/loading';
import { useSignal } from '../components/signal';
import type { ExperimentManager } from '../experiments/manager';
import { deleteRuns, guarded } from './actions';
import type { IColumn } from './columns';
import { FilterBar } from './filterbar';
import { Grid } from './grid';
import { Header } from './header';
import type { RunManager } from './manager';
import { Pane } from './pane';
import type { Query } from './question';
import { Selection } from './selection';
import { SelectionBar } from './selectionbar';
import { RunTable } from './table';
import { askTag } from './tagform';
import { CommandIDs } from './tokens';
import { useExperiments } from './useexperiments';

export interface IRunsOptions {
  experimentIds: string[];
  query?: Partial<Query>;
  runs: RunManager;
  experiments: ExperimentManager;
  commands: CommandRegistry;
  themes: IThemeManager | null;
  trans: TranslationBundle;
}

export class RunsDocument extends Document<RunsWidget> {
  constructor(options: IRunsOptions) {
    const { experimentIds, experiments, trans } = options;
    const label = (names: string) => trans.__('%1 · runs', names);
    const name = (names: string) => {
      this.title.label = label(names);
    };
    super(new RunsWidget(options, name), {
      id: `perijove-runs-${experimentIds.join('-')}`,
      icon: tableRowsIcon,
      label: label(experimentIds.map(id => experiments.get(id)?.name ?? id).join(', '))
    });
    if (!experiments.isReady) {
      void experiments.refresh();
    }
  }

  get experimentIds(): string[] {
    return this.content.options.experimentIds;
  }

  get table(): RunTable {
    return this.content.table;
  }

  /** The ids of the runs that are chosen, or of the one that the keyboard is at. */
  get chosen(): string[] {
    const { ids, active } = this.content.selection;
    return ids.length || !active || !this.table.run(active) ? ids : [active];
  }
}

class RunsWidget extends DocumentView {
  constructor(
    readonly options: IRunsOptions,
    private _onNames: (names: string) => void
  ) {
    super();
    this.addClass('jp-perijove-runs');
    this.table = new RunTable(options.runs, options.experimentIds, options.query);
    void this.table.reload();
  }

  readonly table: RunTable;
  readonly selection = new Selection();

  dispose(): void {
    this.table.dispose();
    super.dispose();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.table.isShown = true;
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.table.isShown = false;
  }

  protected render(): React.ReactElement {
    return (
      <Runs
        {...this.options}
        table={this.table}
        selection={this.selection}
        shown={this.isVisible}
        onNames={this._onNames}
      />
    );
  }
}

interface IRunsProps extends IRunsOptions {
  table: RunTable;
  selection: Selection;
  shown: boolean;
  onNames(names: string): void;
}

function Runs(props: IRunsProps): React.ReactElement {
  const { table, runs: manager, trans, commands } = props;
  useSignal(table.changed);
  const [experiments, problem] = useExperiments(props.experiments, props.experimentIds);
  const names = props.experimentIds
    .map(id => experiments.find(one => one.id === id)?.name ?? id)
    .join(', ');
  React.useEffect(() => props.onNames(names), [names]);
  const gone = experiments.filter(one => one.lifecycle_stage === 'deleted');
  const { selection } = props;
  useSignal(selection.changed);
  const columns = useColumns(props);
  const [height, setHeight] = React.useState(270);
  const { error, query } = table;
  const isSlow = useSlow(table.isLoading);
  const isRefused = error && !error.isPassing;

  const leave = (ids: string[]) => (isDone: boolean) =>
    isDone && selection.set(selection.ids.filter(id => !ids.includes(id)));
  const remove = (ids: string[]) => void deleteRuns(manager, ids, trans).then(leave(ids));
  const restore = (ids: string[]) => void guarded(() => manager.restore(ids)).then(leave(ids));
  const edit = (runId: string, column: IColumn | null, value: string) =>
    void guarded(() =>
      manager.change(runId, column ? { tags: { [column.key]: value || null } } : { name: value })
    );
  const open = (runId: string) => void commands.execute(CommandIDs.open, { runId });
  const chosen = selection.ids.flatMap(id => table.run(id) ?? []);

  if (!table.isReady && error && !isRefused) {
    return <Away error={error} table={table} trans={trans} />;
  }
  const isNone = table.isAnswered && !table.total;
  const isEmpty = isNone && !query.filter.trim();
  return (
    <>
      <Header {...props} names={names} columns={columns} />
      <FilterBar
        value={query.filter}
        columns={columns}
        known={table.known}
        error={isRefused ? error.text : null}
        trans={trans}
        onChange={filter => void table.ask({ filter })}
      />
      {gone.map(({ id, name }) => (
        <div key={id} className="jp-perijove-banner jp-mod-top" role="alert">
          <span>{trans.__('%1 was deleted, and its runs with it.', name)}</span>
          <button
            className="jp-Button jp-mod-styled"
            onClick={() => void guarded(() => props.experiments.restore(id))}
          >
            {trans.__('Restore')}
          </button>
        </div>
      ))}
      {problem && !error && (
        <p className="jp-perijove-banner jp-mod-top" role="alert">
          <span>{problem}</span>
        </p>
      )}
      {error && !isRefused && (
        <p className="jp-perijove-banner jp-mod-top" role="alert">
          <span>{error.text}</span>
        </p>
      )}
      {isSlow && !error && (
        <p className="jp-perijove-banner jp-mod-top jp-mod-warn" role="status">
          <span>
            {table.isReady
              ? trans.__('MLflow has not answered yet. What is shown is as it was last.')
              : trans.__('MLflow has not answered yet. The runs appear as soon as it does.')}
          </span>
        </p>
      )}
      {table.cut !== null && (
        <p className="jp-perijove-banner jp-mod-top jp-mod-warn" role="status">
          <span>
            {trans.__(
              'The groups hold the first %1 of %2 runs: more are too many. Filter them to see the others.',
              table.cut.toLocaleString(),
              table.total.toLocaleString()
            )}
          </span>
        </p>
      )}
      {isEmpty ? (
        !gone.length && !problem && <Empty {...props} />
      ) : (
        <Grid
          table={table}
          selection={selection}
          trans={trans}
          onOpen={open}
          onDelete={query.view === 'deleted' ? restore : remove}
          onEdit={edit}
        />
      )}
      {isNone && !isEmpty && (
        <p className="jp-perijove-hint">{trans.__('The filter is true of no run.')}</p>
      )}
      {selection.size > 0 && (
        <SelectionBar
          {...props}
          selection={selection}
          deleted={query.view === 'deleted'}
          onDelete={remove}
          onRestore={restore}
          onTag={ids => void guarded(() => askTag(manager, ids, trans))}
        />
      )}
      {chosen.length > 0 && (
        <>
          <Divider height={height} onChange={setHeight} trans={trans} />
          <Pane
            runs={chosen}
            metric={table.sparkMetric}
            manager={manager}
            theme={props.themes?.theme ?? ''}
            height={height}
            shown={props.shown}
            trans={trans}
          />
        </>
      )}
    </>
  );
}

function Empty({ commands, trans, table }: IRunsProps): React.ReactElement {
  const isDeleted = table.query.view === 'deleted';
  return (
    <div className="jp-perijove-empty">
      <perijoveIcon.react tag="span" width="40px" height="40px" />
      <h2>{isDeleted ? trans.__('No deleted runs') : trans.__('No runs yet')}</h2>
      {!isDeleted && (
        <>
          <p>
            {trans.__(
              'Run a notebook as a job, or call mlflow.start_run() in one: its parameters and metrics appear here as they come.'
            )}
          </p>
          <button
            className="jp-Button jp-mod-styled jp-mod-accept"
            onClick={() => void commands.execute('perijove:run-on')}
          >
            {trans.__('Run a notebook…')}
          </button>
        </>
      )}
    </div>
  );
}

function Away(props: {
  error: ApiError;
  table: RunTable;
  trans: TranslationBundle;
}): React.ReactElement {
  return (
    <div className="jp-perijove-empty" role="alert">
      <h2>{props.trans.__('The runs cannot be read now')}</h2>
      <p>{props.error.text}</p>
      <button className="jp-Button jp-mod-styled" onClick={() => void props.table.reload()}>
        {props.trans.__('Try again')}
      </button>
    </div>
  );
}

/** The columns that the runs have: read at the beginning, and again when runs are added. */
function useColumns({ experiments, experimentIds, table }: IRunsProps): RunColumn[] {
  const [columns, setColumns] = React.useState<RunColumn[]>([]);
  // the runs are to be painted first
  const total = table.isReady ? table.total : -1;
  React.useEffect(() => {
    if (total >= 0) {
      experiments.columns(experimentIds).then(setColumns, () => undefined);
    }
  }, [total]);
  return columns;
}
