/** Below the table: a metric of the chosen runs over each other, and what differs between them. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunRow } from '../api';
import { Bars } from '../components/bars';
import { Lines } from '../components/lines';
import { LoadingLine } from '../components/loading';
import { Parallel } from '../components/parallel';
import { Select } from '../components/select';
import { Swatch } from '../components/swatch';
import { axesOf } from './differences';
import { figure } from './format';
import type { RunManager } from './manager';
import { linesOf, singles } from './points';
import { useHistory } from './usehistory';

/** Runs drawn; of more, the first. */
const MOST = 50;
/** Pixels of what is not the charts. */
const HEAD = 44;

export function Pane(props: {
  runs: readonly RunRow[];
  metric: string | null;
  manager: RunManager;
  theme: string;
  height: number;
  shown: boolean;
  trans: TranslationBundle;
}): React.ReactElement {
  const { manager, trans, theme } = props;
  const runs = props.runs.slice(0, MOST);
  const metrics = [...new Set(runs.flatMap(run => Object.keys(run.metrics ?? {})))].sort();
  const [chosen, setChosen] = React.useState<string | null>(null);
  const metric =
    chosen && metrics.includes(chosen)
      ? chosen
      : props.metric && metrics.includes(props.metric)
        ? props.metric
        : (metrics[0] ?? null);
  const ids = runs.map(run => run.run_id);
  const history = useHistory(
    manager,
    {
      runIds: ids,
      keys: metric ? [metric] : [],
      maxPoints: 800,
      axis: 'step',
      range: null
    },
    props.shown
  );
  const look = { axis: 'step' as const, smoothing: 0 };
  const lines = runs.flatMap((run, index) => {
    const series = metric ? history.get(run.run_id, metric) : undefined;
    return series ? linesOf(series, run.name, index, look, 0) : [];
  });
  const bars = singles(lines);
  const axes = axesOf(runs, metric ? [metric] : [], trans, 7);
  const height = Math.max(100, props.height - HEAD);
  return (
    <div className="jp-perijove-pane" style={{ height: props.height }}>
      <section aria-label={trans.__('Metrics of the chosen runs')}>
        <header>
          <h2>
            {trans._n('%2, %1 run', '%2, %1 runs', runs.length, metric ?? trans.__('metrics'))}
          </h2>
          {metrics.length > 1 && (
            <Select
              aria-label={trans.__('Metric')}
              value={metric ?? ''}
              onChange={event => setChosen(event.target.value)}
            >
              {metrics.map(key => (
                <option key={key}>{key}</option>
              ))}
            </Select>
          )}
          {props.runs.length > MOST && (
            <small>{trans.__('the first %1 of %2', MOST, props.runs.length)}</small>
          )}
        </header>
        {history.error ? (
          <p className="jp-perijove-hint" role="alert">
            {history.error.text}
          </p>
        ) : bars.length ? (
          <div className="jp-perijove-scroll" style={{ height }} tabIndex={0}>
            <Bars title={metric ?? ''} bars={bars} format={figure} />
          </div>
        ) : lines.length ? (
          <Lines
            title={trans.__('%1 by step', metric ?? '')}
            lines={lines}
            version={`${history.version} ${ids.join()} ${metric}`}
            theme={theme}
            height={height}
            describe={x => trans.__('step %1', x)}
            format={figure}
          />
        ) : history.isLoading ? (
          <LoadingLine trans={trans} />
        ) : (
          <p className="jp-perijove-hint">{trans.__('They logged no metrics.')}</p>
        )}
      </section>
      <section aria-label={trans.__('What differs')}>
        <header>
          <h2>{trans.__('What differs')}</h2>
          <span className="jp-perijove-legend">
            {runs.slice(0, 6).map((run, index) => (
              <span key={run.run_id} title={run.name}>
                <Swatch index={index} />
                <bdi>{run.name}</bdi>
              </span>
            ))}
          </span>
        </header>
        {runs.length > 1 && axes.length > 1 ? (
          <Parallel
            axes={axes}
            labels={runs.map(run => run.name)}
            height={height}
            format={figure}
            trans={trans}
          />
        ) : (
          <p className="jp-perijove-hint">
            {runs.length > 1
              ? trans.__('No parameter in the columns differs between them. Compare looks at all.')
              : trans.__('Choose a second run to see what differs.')}
          </p>
        )}
      </section>
    </div>
  );
}
