/** Parameters, metrics and tags of runs in a table, with what differs marked. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunRow } from '../api';
import { Swatch } from '../components/swatch';
import { compare, type IDifference } from './differences';
import { duration, metricText, statusText } from './format';

/** Rows drawn of each kind. */
const MOST = 400;

export function DiffTable(props: { runs: RunRow[]; trans: TranslationBundle }): React.ReactElement {
  const { runs, trans } = props;
  const [onlyDifferent, setOnlyDifferent] = React.useState(runs.length > 1);
  const groups: [string, IDifference[]][] = [
    [trans.__('Metrics'), compare(runs, 'metrics')],
    [trans.__('Parameters'), compare(runs, 'params')],
    [trans.__('Tags'), compare(runs, 'tags')]
  ];
  const facts: [string, (run: RunRow) => string][] = [
    [trans.__('status'), run => statusText(run.status, trans)],
    [
      trans.__('started'),
      run => (run.started_at ? new Date(run.started_at).toLocaleString() : '–')
    ],
    [trans.__('took'), run => (typeof run.duration === 'number' ? duration(run.duration) : '–')],
    [trans.__('user'), run => run.user ?? '–'],
    [trans.__('source'), run => run.source ?? '–'],
    [trans.__('commit'), run => run.commit?.slice(0, 7) ?? '–']
  ];
  return (
    <div className="jp-perijove-scroll" tabIndex={0} aria-label={trans.__('Table')}>
      <div className="jp-perijove-controls">
        <label>
          <input
            type="checkbox"
            checked={onlyDifferent}
            onChange={event => setOnlyDifferent(event.target.checked)}
          />
          {trans.__('Only what differs')}
        </label>
      </div>
      <table className="jp-perijove-difftable">
        <thead>
          <tr>
            <td />
            {runs.map((run, index) => (
              <th key={run.run_id} scope="col" title={run.name}>
                <Swatch index={index} />
                <bdi>{run.name}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        {groups.map(([title, found]) => {
          const rows = found.filter(({ differs }) => differs || !onlyDifferent);
          return rows.length ? (
            <tbody key={title}>
              <tr className="jp-mod-group">
                <th colSpan={runs.length + 1}>
                  {title} <small>{rows.length}</small>
                </th>
              </tr>
              {rows.slice(0, MOST).map(row => (
                <Row key={row.key} row={row} />
              ))}
            </tbody>
          ) : null;
        })}
        <tbody>
          <tr className="jp-mod-group">
            <th colSpan={runs.length + 1}>{trans.__('Attributes')}</th>
          </tr>
          {facts.map(([name, of]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {runs.map(run => (
                <td key={run.run_id} title={of(run)}>
                  {of(run)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row }: { row: IDifference }): React.ReactElement {
  const isMetric = row.kind === 'metrics';
  return (
    <tr className={row.differs ? 'jp-mod-different' : ''}>
      <th scope="row" title={row.key}>
        <bdi>{row.key}</bdi>
      </th>
      {row.values.map((value, index) => (
        <td key={index} title={String(value ?? '')} className={isMetric ? 'jp-mod-number' : ''}>
          <bdi>{value === null ? '–' : isMetric ? metricText(value as number) : String(value)}</bdi>
        </td>
      ))}
    </tr>
  );
}
