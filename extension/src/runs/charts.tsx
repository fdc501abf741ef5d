/** The metrics of a run, a chart each, with other runs over them. */
import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Run, RunRow } from '../api';
import { isDrawable } from '../components/align';
import type { Axis } from '../components/axis';
import { useAnswer } from '../components/answer';
import { Bars } from '../components/bars';
import { Checklist } from '../components/checklist';
import { Lines, type IRange } from '../components/lines';
import { Popover } from '../components/popover';
import { Swatch } from '../components/swatch';
import { toNumber } from './columns';
import { ChartControls, type ILookChange, DEFAULT_LOOK } from './chartcontrols';
import { duration, figure } from './format';
import type { History } from './history';
import type { RunManager } from './manager';
import { linesOf, singles } from './points';
import type { IViewProps } from './rundocument';
import { useHistory } from './usehistory';

/** Charts drawn at first, and more at a time. */
const PAGE = 24;
/** Points asked for: of each metric, by how many there are. */
const POINTS = { few: 1500, many: 500 };
const SYSTEM = 'system/';

export function Charts(props: IViewProps & { run: Run }): React.ReactElement {
  const { run, trans } = props;
  const [others, setOthers] = React.useState<RunRow[]>([]);
  const runs = [run, ...others];
  const all = Object.keys(run.metric_points ?? {}).sort();
  const keys = all.length ? all : Object.keys(run.metrics ?? {}).sort();
  const points = Object.values(run.metric_points ?? {}).reduce((sum, count) => sum + count, 0);
  if (!keys.length) {
    return (
      <p className="jp-perijove-hint">
        {run.status === 'RUNNING'
          ? trans.__('What the run logs with mlflow.log_metric is drawn here as it comes.')
          : trans.__('No metrics were logged.')}
      </p>
    );
  }
  return (
    <MetricCharts
      runs={runs}
      keys={keys}
      manager={props.runs}
      theme={props.themes?.theme ?? ''}
      shown={props.shown}
      trans={trans}
      isOne={true}
      said={trans._n('%1 point', '%1 points', points).replace(/\d+/, points.toLocaleString())}
    >
      <Overlay {...props} others={others} onChange={setOthers} />
    </MetricCharts>
  );
}

export interface IMetricChartsProps {
  runs: readonly RunRow[];
  keys: readonly string[];
  manager: RunManager;
  theme: string;
  shown: boolean;
  trans: IViewProps['trans'];
  /** Is it about the first, with others over it? Then its last values are told. */
  isOne?: boolean;
  /** How much there is. */
  said?: string;
  children?: React.ReactNode;
}

export function MetricCharts(props: IMetricChartsProps): React.ReactElement {
  const { runs, trans } = props;
  const [look, setLook] = React.useState(DEFAULT_LOOK);
  const [range, setRange] = React.useState<IRange | null>(null);
  const [most, setMost] = React.useState(PAGE);
  const words = look.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = props.keys.filter(key => words.every(word => key.toLowerCase().includes(word)));
  // system metrics come last
  const ordered = [
    ...found.filter(key => !key.startsWith(SYSTEM)),
    ...found.filter(key => key.startsWith(SYSTEM))
  ];
  const keys = ordered.slice(0, most);
  const start = Date.parse(runs[0]?.started_at ?? '') || 0;
  const history = useHistory(
    props.manager,
    {
      runIds: runs.map(run => run.run_id),
      keys,
      maxPoints: keys.length * runs.length <= 12 ? POINTS.few : POINTS.many,
      axis: look.axis === 'step' ? 'step' : 'time',
      range: asked(range, look.axis, start, runs.length)
    },
    props.shown
  );
  const change = (next: ILookChange) => {
    if (next.axis && next.axis !== look.axis) {
      setRange(null);
    }
    setLook({ ...look, ...next });
  };
  const { isOne = false, theme } = props;
  const shared = { history, runs, isOne, look, range, start, theme, trans };
  return (
    <div className="jp-perijove-scroll" tabIndex={0} aria-label={trans.__('Metrics')}>
      <ChartControls look={look} many={props.keys.length > 6} trans={trans} onChange={change}>
        {props.children}
        {range && (
          <button className="jp-Button jp-mod-styled" onClick={() => setRange(null)}>
            {trans.__('Show all')}
          </button>
        )}
        <span className="jp-perijove-spacer" />
        <span className="jp-perijove-count">{props.said}</span>
      </ChartControls>
      {history.error && (
        <p className="jp-perijove-hint" role="alert">
          {history.error.text}
        </p>
      )}
      <div className="jp-perijove-charts">
        {GROUPS.map(group => {
          const members = keys.filter(key => groupOf(key, shared) === group);
          const title = {
            courses: '',
            singles: trans.__('Single values'),
            system: trans.__('System metrics')
          }[group];
          return (
            <React.Fragment key={group}>
              {title && members.length > 0 && <h2>{title}</h2>}
              {members.map(key => (
                <MetricChart key={key} {...shared} metric={key} onZoom={setRange} />
              ))}
            </React.Fragment>
          );
        })}
      </div>
      {ordered.length > most && (
        <button className="jp-perijove-more" onClick={() => setMost(most + PAGE)}>
          {trans.__('Show %1 more', Math.min(PAGE, ordered.length - most))}
        </button>
      )}
    </div>
  );
}

/** In which order metrics are drawn: those with a course, those with one value, the machine's. */
const GROUPS = ['courses', 'singles', 'system'] as const;

function groupOf(
  key: string,
  { history, runs, range }: { history: History; runs: readonly RunRow[]; range: IRange | null }
): (typeof GROUPS)[number] {
  if (key.startsWith(SYSTEM)) {
    return 'system';
  }
  const counts = runs.map(run => history.get(run.run_id, key)?.values.length ?? 0);
  // of what was zoomed into, one point may be left
  return !range && Math.max(...counts) === 1 ? 'singles' : 'courses';
}

function MetricChart(props: {
  metric: string;
  history: History;
  runs: readonly RunRow[];
  isOne: boolean;
  look: typeof DEFAULT_LOOK;
  range: IRange | null;
  start: number;
  theme: string;
  trans: IViewProps['trans'];
  onZoom(range: IRange | null): void;
}): React.ReactElement {
  const { metric, history, runs, look, trans } = props;
  const startOf = (run: RunRow) => Date.parse(run.started_at ?? '') || props.start;
  const series = runs.map(run => history.get(run.run_id, metric));
  const lines = runs.flatMap((run, index) => {
    const one = series[index];
    return one ? linesOf(one, run.name, index, look, startOf(run)) : [];
  });
  // where runs are compared the lines say it, at the pointer
  const values = props.isOne ? series[0]?.values : undefined;
  const last = values?.length ? toNumber(values[values.length - 1]) : null;
  const bars = props.range ? [] : singles(lines);
  const name = metric.startsWith(SYSTEM) ? metric.slice(SYSTEM.length) : metric;
  const describe = (x: number) =>
    look.axis === 'step'
      ? trans.__('step %1', Math.round(x))
      : look.axis === 'time'
        ? new Date(x * 1000).toLocaleTimeString()
        : duration(x);
  return (
    <figure data-metric={metric}>
      <figcaption>
        <span title={metric}>
          <bdi>{name}</bdi>
        </span>
        {last !== null && <b>{figure(last)}</b>}
      </figcaption>
      {bars.length ? (
        runs.length > 1 && <Bars title={metric} bars={bars} format={figure} />
      ) : isDrawable(lines, look.log) ? (
        <Lines
          title={trans.__('%1 by %2', metric, look.axis)}
          lines={lines}
          version={`${history.version} ${look.axis} ${look.smoothing} ${runs.length}`}
          theme={props.theme}
          log={look.log}
          axis={look.axis}
          describe={describe}
          range={props.range}
          onZoom={props.onZoom}
          format={figure}
        />
      ) : (
        <div className="jp-perijove-lines jp-mod-missing">
          {history.isLoading
            ? ''
            : look.log && lines.length
              ? trans.__('nothing above 0 to draw')
              : trans.__('nothing to draw')}
        </div>
      )}
    </figure>
  );
}

/** Choose other runs of the experiment to draw over this one. */
function Overlay(
  props: IViewProps & { run: Run; others: RunRow[]; onChange(runs: RunRow[]): void }
): React.ReactElement {
  const { others, trans } = props;
  return (
    <>
      <Popover label={trans.__('Overlay')}>{() => <Candidates {...props} />}</Popover>
      <span className="jp-perijove-legend">
        {others.map((run, index) => (
          <span key={run.run_id} title={run.name}>
            <Swatch index={index + 1} />
            <bdi>{run.name}</bdi>
            <button
              title={trans.__('Leave out %1', run.name)}
              aria-label={trans.__('Leave out %1', run.name)}
              onClick={() => props.onChange(others.filter(one => one !== run))}
            >
              <closeIcon.react tag="span" width="12px" height="12px" />
            </button>
          </span>
        ))}
      </span>
    </>
  );
}

function Candidates(
  props: IViewProps & { run: Run; others: RunRow[]; onChange(runs: RunRow[]): void }
): React.ReactElement {
  const { run, others, trans } = props;
  const question = { experiment_ids: [run.experiment_id], columns: [], limit: 200 };
  const [page, error] = useAnswer(() => props.runs.search(question), []);
  const found = (page?.runs ?? []).filter(one => one.run_id !== run.run_id);
  return (
    <Checklist
      find={trans.__('Find a run')}
      items={found.map(one => ({ key: one.run_id, label: one.name }))}
      chosen={others.map(one => one.run_id)}
      most={9}
      none={error ?? (page ? trans.__('There is no other run.') : trans.__('Loading…'))}
      onChange={ids =>
        props.onChange(
          ids.flatMap(id => [...others, ...found].find(one => one.run_id === id) ?? [])
        )
      }
    />
  );
}

/** The range to ask the hub for: in its units; null: all. */
function asked(range: IRange | null, axis: Axis, start: number, runs: number): IRange | null {
  if (!range) {
    return null;
  }
  switch (axis) {
    case 'step':
      return { min: Math.floor(range.min), max: Math.ceil(range.max) };
    case 'time':
      return { min: 1000 * range.min, max: 1000 * range.max };
    default:
      // each run has a beginning of its own: of several only the picture is cut
      return runs > 1 ? null : { min: start + 1000 * range.min, max: start + 1000 * range.max };
  }
}
