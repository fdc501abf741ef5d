/** A run, several runs, and what differs between them. */
import * as React from 'react';

import type { Run } from '../api';
import { Details } from '../components/details';
import { Swatch } from '../components/swatch';
import { Pill } from '../components/state';
import { duration } from '../jobs/format';
import { columnTitles } from '../runs/format';
import { Charts, ChartTools, type IRuns } from './charts';
import { useTrait } from './model';
import { trans } from './trans';
import { runTone, valueText } from './values';

export function MetricChart(): React.ReactElement {
  const [data] = useTrait<IRuns>('data');
  return (
    <>
      <ChartTools />
      <Charts {...data} />
    </>
  );
}

export function RunView(): React.ReactElement {
  const [data] = useTrait<IRuns>('data');
  if (!data.runs.length) {
    return <p className="jp-perijove-hint">{trans.__('No run is chosen.')}</p>;
  }
  return (
    <>
      {data.runs.map(run => (
        <RunHead key={run.run_id} run={run} />
      ))}
      {data.history.length > 0 && <ChartTools />}
      <Charts {...data} />
    </>
  );
}

function RunHead({ run }: { run: Run }): React.ReactElement {
  const took = run.duration ?? null;
  const facts = [
    run.experiment_name,
    run.user,
    run.started_at && new Date(run.started_at).toLocaleString(),
    took !== null && duration(took),
    run.source
  ];
  const versions = run.model_versions ?? [];
  const columns = [
    [trans.__('Parameters'), run.params ?? {}],
    [trans.__('Metrics'), run.metrics ?? {}],
    [trans.__('Tags'), run.tags ?? {}]
  ] as const;
  return (
    <article className="jp-perijove-run">
      <header>
        <b>
          <bdi>{run.name}</bdi>
        </b>
        <Pill tone={runTone(run.status)} label={run.status.toLowerCase()} />
        <code>{run.run_id.slice(0, 8)}</code>
      </header>
      <p className="jp-perijove-facts">
        {facts.filter(Boolean).map((fact, at) => (
          <React.Fragment key={at}>
            {at > 0 && ' · '}
            <bdi>{fact}</bdi>
          </React.Fragment>
        ))}
      </p>
      {versions.length > 0 && (
        <p className="jp-perijove-facts">
          {versions.map(each => (
            <span key={`${each.name} ${each.version}`} className="jp-perijove-badge">
              {[each.name, each.version].join(' ')}
            </span>
          ))}
        </p>
      )}
      <div className="jp-perijove-columns">
        {columns.map(
          ([title, values]) =>
            Object.keys(values).length > 0 && (
              <section key={title}>
                <h4>{title}</h4>
                <Details
                  rows={Object.entries(values)
                    .sort(([a], [b]) => a.localeCompare(b))
                    .map(([name, value]): [string, string] => [name, valueText(value)])}
                />
              </section>
            )
        )}
      </div>
    </article>
  );
}

export function CompareRuns(): React.ReactElement {
  const [data] = useTrait<IRuns>('data');
  return (
    <>
      <ChartTools />
      <Charts {...data} />
      {data.runs.length > 0 && <Differences runs={data.runs} />}
    </>
  );
}

function Differences({ runs }: { runs: Run[] }): React.ReactElement {
  const [only, setOnly] = useTrait<boolean>('only_differences');
  const rows = (['params', 'metrics'] as const).flatMap(kind => {
    const keys = new Set(runs.flatMap(run => Object.keys(run[kind] ?? {})));
    return [...keys].sort().map(key => {
      const values = runs.map(run => valueText((run[kind] ?? {})[key]));
      return { kind, key, values, differs: new Set(values).size > 1 };
    });
  });
  const titles = columnTitles(rows, trans);
  const shown = rows.filter(row => row.differs || !only);
  return (
    <>
      <div className="jp-perijove-tools">
        <label>
          <input type="checkbox" checked={only} onChange={event => setOnly(event.target.checked)} />
          {trans.__('Only what differs')}
        </label>
      </div>
      <div className="jp-perijove-runs" tabIndex={0}>
        <table className="jp-perijove-run-table">
          <thead>
            <tr>
              <th />
              {runs.map((run, index) => (
                <th key={run.run_id}>
                  <Swatch index={index} />
                  <bdi>{run.name}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map(row => (
              <tr key={`${row.kind} ${row.key}`} className={row.differs ? 'jp-mod-differs' : ''}>
                <th scope="row">{titles[rows.indexOf(row)]}</th>
                {row.values.map((value, index) => (
                  <td key={runs[index].run_id} title={value}>
                    {value}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {!shown.length && (
          <p className="jp-perijove-hint">{trans.__('They do not differ in anything logged.')}</p>
        )}
      </div>
    </>
  );
}
