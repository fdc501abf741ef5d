/** Metrics of runs, a chart for each metric and a line for each run. */
import * as React from 'react';

import { isDrawable } from '../components/align';
import type { Axis } from '../components/axis';
import { Lines, type ILine } from '../components/lines';
import { Swatch } from '../components/swatch';
import { figure } from '../jobs/format';
import { useTrait } from './model';
import { finite } from './jobs';
import { ThemeContext } from './theme';
import { trans } from './trans';
import type { Run, RunSeries } from '../api';

export interface IRuns {
  runs: Run[];
  history: RunSeries[];
}

type Points = RunSeries['series'][number];

export function Charts({ runs, history }: IRuns): React.ReactElement {
  const [axis] = useTrait<Axis>('axis');
  const [log] = useTrait<boolean>('log_scale');
  const [smoothing] = useTrait<number>('smoothing');
  const theme = React.useContext(ThemeContext);
  const names = new Map(runs.map((run, index) => [run.run_id, { name: run.name, index }]));
  const charts = new Map<string, ILine[]>();
  for (const { run_id, series } of history) {
    const { name, index } = names.get(run_id) ?? { name: run_id, index: 0 };
    for (const points of series) {
      const line = {
        label: name,
        index,
        xs: places(points, axis),
        ys: points.values.map(finite)
      };
      const lines = charts.get(points.key) ?? [];
      charts.set(points.key, lines);
      if (smoothing) {
        lines.push({ ...line, faint: true }, { ...line, ys: smoothed(line.ys, smoothing) });
      } else {
        lines.push(line);
      }
    }
  }
  if (!charts.size) {
    return (
      <p className="jp-perijove-hint">
        {runs.length ? trans.__('No metrics were logged.') : trans.__('No runs are chosen.')}
      </p>
    );
  }
  return (
    <>
      <div className="jp-perijove-charts">
        {[...charts.keys()].sort().map(key => {
          const lines = charts.get(key)!;
          const drawn = lines.filter(line => !line.faint);
          const value = drawn.length === 1 ? last(drawn[0].ys) : null;
          return (
            <figure key={key}>
              <figcaption>
                <span title={key}>{key}</span>
                {value !== null && <b>{figure(value)}</b>}
              </figcaption>
              {isDrawable(lines, log) ? (
                <Lines
                  title={key}
                  lines={lines}
                  version={lines
                    .map(
                      line => `${line.xs.length}:${line.xs[line.xs.length - 1]}:${last(line.ys)}`
                    )
                    .join(' ')
                    .concat(axis, String(smoothing))}
                  theme={theme}
                  log={log}
                  axis={axis}
                  describe={axis === 'step' ? x => trans.__('step %1', x) : undefined}
                  format={figure}
                />
              ) : (
                <div className="jp-perijove-lines jp-mod-missing">
                  {log ? trans.__('nothing above 0 to draw') : trans.__('nothing to draw')}
                </div>
              )}
            </figure>
          );
        })}
      </div>
      {runs.length > 1 && <Legend runs={runs} />}
    </>
  );
}

export function Legend({ runs }: { runs: Run[] }): React.ReactElement {
  return (
    <ul className="jp-perijove-legend">
      {runs.map((run, index) => (
        <li key={run.run_id}>
          <Swatch index={index} />
          <bdi>{run.name}</bdi>
        </li>
      ))}
    </ul>
  );
}

/** Step, smoothing and scale, for all charts of a widget. */
export function ChartTools(): React.ReactElement {
  const [axis, setAxis] = useTrait<Axis>('axis');
  const [log, setLog] = useTrait<boolean>('log_scale');
  const [smoothing, setSmoothing] = useTrait<number>('smoothing');
  return (
    <div className="jp-perijove-tools">
      <select
        aria-label={trans.__('Axis')}
        value={axis}
        onChange={event => setAxis(event.target.value as Axis)}
      >
        <option value="step">{trans.__('Step')}</option>
        <option value="time">{trans.__('Time')}</option>
        <option value="relative">{trans.__('Relative time')}</option>
      </select>
      <label>
        <input type="checkbox" checked={log} onChange={event => setLog(event.target.checked)} />
        {trans.__('Log scale')}
      </label>
      <label>
        {trans.__('Smoothing')}
        <input
          type="range"
          min="0"
          max="0.99"
          step="0.01"
          value={smoothing}
          onChange={event => setSmoothing(Number(event.target.value))}
        />
      </label>
    </div>
  );
}

function places(points: Points, axis: Axis): number[] {
  switch (axis) {
    case 'step':
      return points.steps;
    case 'time':
      return points.times.map(time => time / 1000);
    case 'relative':
      return points.times.map(time => (time - points.times[0]) / 1000);
  }
}

/** Exponential average with the bias of its beginning taken out, as TensorBoard draws it. */
export function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  let sum = 0;
  let count = 0;
  return values.map(value => {
    if (value === null) {
      return null;
    }
    sum = sum * weight + (1 - weight) * value;
    count += 1;
    return sum / (1 - weight ** count);
  });
}

function last(values: readonly (number | null)[]): number | null {
  for (let at = values.length - 1; at >= 0; at--) {
    if (values[at] !== null) {
      return values[at];
    }
  }
  return null;
}
