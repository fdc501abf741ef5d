/** Runs beside each other in the main area. */
import * as React from 'react';

import type { RunRow } from '../api';
import { Document, DocumentView } from '../components/document';
import { compareIcon } from '../components/icons';
import { Loading } from '../components/loading';
import { useSignal } from '../components/signal';
import { Swatch } from '../components/swatch';
import { TabBody, Tabs, type ITab } from '../components/tabs';
import { MetricCharts } from './charts';
import { DiffTable } from './difftable';
import { NotebookDiffView } from './notebookdiffview';
import { ParallelTab } from './paralleltab';
import type { IRunOptions } from './rundocument';
import { Scatter } from './scatter';
import { CommandIDs } from './tokens';
import { useRows } from './userun';

export type ICompareOptions = Omit<IRunOptions, 'runId'> & { runIds: string[] };

export class CompareDocument extends Document<CompareWidget> {
  constructor(options: ICompareOptions) {
    const { runIds, trans } = options;
    super(new CompareWidget(options), {
      id: `perijove-compare-${runIds.join('-')}`,
      icon: compareIcon,
      label: trans.__('Compare %1 runs', runIds.length)
    });
    if (!options.experiments.isReady) {
      void options.experiments.refresh();
    }
  }

  get runIds(): string[] {
    return this.content.options.runIds;
  }
}

class CompareWidget extends DocumentView {
  constructor(readonly options: ICompareOptions) {
    super();
  }

  protected render(): React.ReactElement {
    return <Compare {...this.options} shown={this.isVisible} />;
  }
}

type Tab = 'table' | 'metrics' | 'parallel' | 'scatter' | 'notebooks';

function Compare(props: ICompareOptions & { shown: boolean }): React.ReactElement {
  const { trans, shown, runs: manager, experiments } = props;
  const { runs, gone, error, isReady } = useRows(manager, props.runIds, shown);
  useSignal(experiments.changed);
  const [tab, setTab] = React.useState<Tab>('metrics');
  const [chosen, setChosen] = React.useState<number[] | null>(null);
  const [spot, setSpot] = React.useState<number[] | null>(null);
  const inView: Partial<Record<Tab, number[] | null>> = { parallel: chosen, scatter: spot };
  const tabs: ITab<Tab>[] = [
    { key: 'metrics', label: trans.__('Metrics') },
    { key: 'parallel', label: trans.__('Parallel coordinates') },
    { key: 'scatter', label: trans.__('Scatter') },
    { key: 'table', label: trans.__('Table') },
    { key: 'notebooks', label: trans.__('Notebooks') }
  ];
  if (!isReady && !runs.length) {
    return error ? (
      <div className="jp-perijove-empty" role="alert">
        <h2>{trans.__('The runs cannot be read now')}</h2>
        <p>{error.text}</p>
      </div>
    ) : (
      <Loading trans={trans} />
    );
  }
  const keys = [...new Set(runs.flatMap(run => Object.keys(run.metrics ?? {})))].sort();
  const theme = props.themes?.theme ?? '';
  const deleted = gone.length + runs.filter(run => run.lifecycle_stage === 'deleted').length;
  return (
    <>
      <div className="jp-perijove-title">
        <div>
          <h1>{trans.__('%1 runs', runs.length)}</h1>
          <span className="jp-perijove-count">
            {[
              ...new Set(
                runs.map(run => experiments.get(run.experiment_id)?.name ?? run.experiment_id)
              )
            ].join(', ')}
          </span>
        </div>
        <Legend {...props} runs={runs} chosen={inView[tab] ?? null} />
      </div>
      {(deleted > 0 || error) && (
        <p className="jp-perijove-banner jp-mod-top" role="alert">
          <span>
            {error ? error.text : trans._n('%1 run was deleted.', '%1 runs were deleted.', deleted)}
          </span>
        </p>
      )}
      <Tabs<Tab> tabs={tabs} current={tab} onChange={setTab} />
      <TabBody<Tab> tabs={tabs} current={tab}>
        {tab === 'metrics' && (
          <MetricCharts
            runs={runs}
            keys={keys}
            manager={manager}
            theme={theme}
            shown={shown}
            trans={trans}
          />
        )}
        {tab === 'parallel' && (
          <ParallelTab
            runs={runs}
            metrics={keys}
            trans={trans}
            brushed={chosen}
            onBrush={setChosen}
          />
        )}
        {tab === 'scatter' && (
          <Scatter runs={runs} trans={trans} chosen={spot} onChoose={setSpot} />
        )}
        {tab === 'table' && <DiffTable runs={runs} trans={trans} />}
        {tab === 'notebooks' && <NotebookDiffView {...props} found={runs} />}
      </TabBody>
    </>
  );
}

function Legend(
  props: Omit<ICompareOptions, 'runs'> & { runs: RunRow[]; chosen: number[] | null }
): React.ReactElement {
  const { runs, chosen, commands } = props;
  return (
    <div className="jp-perijove-legend jp-mod-wrap">
      {runs.map((run, index) => (
        <span
          key={run.run_id}
          className={chosen && !chosen.includes(index) ? 'jp-mod-out' : ''}
          title={run.name}
        >
          <Swatch index={index} />
          <button
            className="jp-perijove-runlink"
            onClick={() => void commands.execute(CommandIDs.open, { runId: run.run_id })}
          >
            <bdi>{run.name}</bdi>
          </button>
        </span>
      ))}
    </div>
  );
}
