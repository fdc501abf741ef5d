/** Several lines over one axis, in the theme's colours: metrics of runs, as they grow. */
import * as React from 'react';
import uPlot from 'uplot';

import { align, lone, type ILine } from './align';
import { ticksOf, tickText, type Axis } from './axis';
import { lineColor, lineDash } from './swatch';

export type { ILine } from './align';

const PAST = 'var(--jp-ui-font-color3)';

function colorOf(line: ILine): string {
  return line.past ? PAST : lineColor(line.index);
}

export interface IRange {
  min: number;
  max: number;
}

export interface ILinesProps {
  title: string;
  lines: ILine[];
  /** Changes when the points do. */
  version: number | string;
  /** Changes when the theme does. */
  theme: string;
  /** Pixels. */
  height?: number;
  log?: boolean;
  /** What the points stand at: steps, or seconds, since 1970 or since the run began. */
  axis?: Axis;
  /** What the axis is called where the pointer is: `step 112`. */
  describe?(x: number): string;
  /** What of the axis is shown; all of it without this. */
  range?: IRange | null;
  /** A range was drawn with the pointer, or a double click asked for everything (null). */
  onZoom?(range: IRange | null): void;
  format(value: number): string;
}

export function Lines(props: ILinesProps): React.ReactElement {
  const host = React.useRef<HTMLDivElement>(null);
  const readout = React.useRef<HTMLDivElement>(null);
  const plot = React.useRef<uPlot | null>(null);
  const latest = React.useRef(props);
  latest.current = props;
  const height = props.height ?? 180;
  const data = React.useMemo(() => align(props.lines, props.log), [props.version, props.log]);
  // of many, the one at the pointer stands out
  const isCrowd = new Set(props.lines.map(line => line.index)).size > 1;
  const look = props.lines
    .map(line => `${line.label}|${line.index}|${line.faint ? 1 : 0}|${line.past ? 1 : 0}`)
    .join('\n');

  React.useEffect(() => {
    const element = host.current!;
    const style = getComputedStyle(element);
    const color = (name: string) => {
      const variable = /^var\((.*)\)$/.exec(name);
      return variable ? style.getPropertyValue(variable[1]).trim() : name;
    };
    const axis: uPlot.Axis = {
      stroke: color('var(--jp-ui-font-color2)'),
      grid: { stroke: color('var(--jp-border-color2)'), width: 1 },
      ticks: { show: false },
      font: `10px ${color('var(--jp-ui-font-family)') || 'sans-serif'}`
    };
    const zoomed = Boolean(latest.current.onZoom);
    /** The line that the pointer is at. */
    let near: number | null = null;
    const made = new uPlot(
      {
        width: Math.max(120, element.clientWidth),
        height,
        legend: { show: false },
        cursor: {
          drag: { x: true, y: false, setScale: !zoomed },
          points: { size: 6, one: isCrowd },
          focus: { prox: isCrowd ? NEAR : -1 }
        },
        focus: { alpha: 0.25 },
        scales: {
          x: {
            time: props.axis === 'time',
            range: (chart, min, max) => {
              const { range } = latest.current;
              const only = onlyOne(chart);
              return range
                ? [range.min, range.max]
                : only === null
                  ? [min, max]
                  : [only - 0.5, only + 0.5];
            }
          },
          y: { distr: props.log ? 3 : 1 }
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            filter: props.axis === 'time' ? undefined : said,
            ...ticksOf(props.axis ?? 'step')
          },
          { ...axis, size: 52, values: (_, ticks) => ticks.map(tickText) }
        ],
        series: [
          {},
          ...props.lines.map(line => ({
            stroke: color(colorOf(line)),
            alpha: line.faint ? 0.25 : 1,
            width: line.faint || line.past ? 1 : 1.75,
            dash: line.past ? [5, 4] : lineDash(line.index),
            points: {
              show: true,
              filter: lonely,
              size: line.faint ? 3 : 6,
              fill: color(colorOf(line))
            }
          }))
        ],
        hooks: {
          setSeries: [(chart, at) => tell(chart, readout.current, latest.current, (near = at))],
          setCursor: [chart => tell(chart, readout.current, latest.current, near)],
          setSelect: [
            chart => {
              const { left, width } = chart.select;
              if (zoomed && width > 2) {
                const min = chart.posToVal(left, 'x');
                const max = chart.posToVal(left + width, 'x');
                latest.current.onZoom?.({ min, max });
                chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
              }
            }
          ]
        }
      },
      data,
      element
    );
    plot.current = made;
    const all = () => latest.current.onZoom?.(null);
    made.over.addEventListener('dblclick', all);
    const observer = new ResizeObserver(() => {
      if (element.clientWidth) {
        made.setSize({ width: element.clientWidth, height });
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [props.theme, look, props.log, props.axis, height]);

  React.useEffect(() => {
    plot.current?.setData(data);
  }, [data, props.range?.min, props.range?.max]);

  return (
    <div className="jp-perijove-lines" style={{ height }}>
      <div ref={host} role="img" aria-label={props.title} />
      <div ref={readout} className="jp-perijove-readout" aria-hidden="true" />
    </div>
  );
}

/** Lines told where the pointer is; of more, as many as there is room for. */
const TOLD = 8;
/** Pixels from a line at which the pointer is at it. */
const NEAR = 24;

/** Say what the lines are where the pointer is; of those it is at, which one that is. */
function tell(
  chart: uPlot,
  element: HTMLElement | null,
  props: ILinesProps,
  near: number | null
): void {
  if (!element) {
    return;
  }
  const at = chart.cursor.idx;
  if (at === null || at === undefined || (chart.cursor.left ?? -1) < 0) {
    element.replaceChildren();
    return;
  }
  const x = chart.data[0][at];
  const parts: HTMLElement[] = [];
  const head = document.createElement('span');
  head.textContent = props.describe ? props.describe(x) : String(x);
  parts.push(head);
  props.lines.forEach((line, index) => {
    const isNear = props.lines[(near ?? 0) - 1]?.index === line.index;
    const value = line.faint || (near && !isNear) ? null : nearest(chart.data[index + 1], at);
    if (value !== null && parts.length <= TOLD) {
      const part = document.createElement('b');
      const name = document.createElement('bdi');
      name.textContent = isNear ? `${line.label} ` : '';
      part.append(name, props.format(value));
      part.style.color = colorOf(line);
      parts.push(part);
    }
  });
  element.replaceChildren(...parts);
  element.classList.toggle('jp-mod-left', (chart.cursor.left ?? 0) > chart.over.clientWidth / 2);
}

/** The value there, or the last one before: lines of other runs have points elsewhere. */
function nearest(values: ArrayLike<number | null | undefined>, at: number): number | null {
  for (let index = at; index >= 0; index--) {
    const value = values[index];
    if (value !== null && value !== undefined) {
      return value;
    }
  }
  return null;
}

/** Where the only points are, if they are all at one place: uPlot's own range would be wide. */
function onlyOne(chart: uPlot): number | null {
  return chart.data[0].length === 1 ? chart.data[0][0] : null;
}

/** The ticks that say something: of a single step there are no fractions. */
function said(chart: uPlot, ticks: number[]): (number | null)[] {
  const only = onlyOne(chart);
  return only === null ? ticks : ticks.map(tick => (tick === only ? tick : null));
}

/** Which points no line leads to. */
function lonely(chart: uPlot, series: number): number[] {
  return lone(chart.data[series]);
}
