/** One figure of runs against another. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunRow } from '../api';
import { chosenBy } from '../components/chosen';
import { lineColor } from '../components/swatch';
import { Select } from '../components/select';
import { isNumeric, toNumber } from './columns';
import { compare } from './differences';
import { figure, fullTitle } from './format';
import { type ISpot, spotsOf } from './spots';

/** Pixels. */
const MARGIN = { left: 76, right: 20, top: 16, bottom: 42 };
const TICKS = 8;

export function Scatter(props: {
  runs: readonly RunRow[];
  trans: TranslationBundle;
  /** The numbers of the runs at the point that is chosen; null: there is none. */
  chosen: readonly number[] | null;
  onChoose(chosen: number[] | null): void;
}): React.ReactElement {
  const { runs, trans, chosen, onChoose } = props;
  const figures = [...compare(runs, 'params'), ...compare(runs, 'metrics')].filter(({ values }) =>
    isNumeric(values)
  );
  const names = figures.map(each => fullTitle(each, trans));
  const firstMetric = Math.max(
    0,
    figures.findIndex(({ kind, key }) => kind === 'metrics' && !key.startsWith('system/'))
  );
  const [x, setX] = React.useState<string | null>(null);
  const [y, setY] = React.useState<string | null>(null);
  const host = React.useRef<HTMLDivElement>(null);
  const [size, setSize] = React.useState({ width: 600, height: 400 });
  React.useEffect(() => {
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = host.current!;
      if (width) {
        setSize({ width, height: Math.max(220, height) });
      }
    });
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, []);
  const across = figures[Math.max(0, names.indexOf(x ?? names[0]))];
  const up = figures[names.indexOf(y ?? names[firstMetric])] ?? figures[firstMetric];
  const title = {
    across: across && fullTitle(across, trans),
    up: up && fullTitle(up, trans)
  };
  const choose = (label: string, value: string, change: (value: string) => void) => (
    <label>
      {label}
      <Select
        value={value}
        onChange={event => {
          change(event.target.value);
          onChoose(null);
        }}
      >
        {names.map(name => (
          <option key={name}>{name}</option>
        ))}
      </Select>
    </label>
  );
  const points =
    across && up
      ? runs.flatMap((run, index) => {
          const [a, b] = [toNumber(across.values[index]), toNumber(up.values[index])];
          return Number.isFinite(a) && Number.isFinite(b) ? [{ index, a, b }] : [];
        })
      : [];
  const [toX, xTicks] = scale(
    points.map(({ a }) => a),
    MARGIN.left,
    size.width - MARGIN.right
  );
  const [toY, yTicks] = scale(
    points.map(({ b }) => b),
    size.height - MARGIN.bottom,
    MARGIN.top
  );
  const spots = spotsOf(points, toX, toY);
  const isChosen = (spot: ISpot) => spot.runs.join() === chosen?.join();
  const isAny = spots.some(isChosen);
  const toggle = (spot: ISpot) => onChoose(isChosen(spot) ? null : spot.runs);
  const text = ({ runs: there, a, b }: ISpot) =>
    [
      there.length > 1 ? trans.__('%1 runs', there.length) : '',
      ...there.map(index => runs[index].name),
      `${title.across} ${figure(a)}`,
      `${title.up} ${figure(b)}`
    ]
      .filter(Boolean)
      .join('\n');
  return (
    <div className="jp-perijove-scatter">
      {names.length > 0 && (
        <div className="jp-perijove-controls">
          {choose(trans.__('Across'), title.across, setX)}
          {choose(trans.__('Up'), title.up, setY)}
        </div>
      )}
      <div ref={host}>
        {points.length ? (
          <svg
            width={size.width}
            height={size.height}
            role="group"
            aria-label={trans.__('%1 against %2', title.up, title.across)}
          >
            {yTicks.map(tick => (
              <g key={tick}>
                <line
                  x1={MARGIN.left}
                  x2={size.width - MARGIN.right}
                  y1={toY(tick)}
                  y2={toY(tick)}
                />
                <text x={MARGIN.left - 8} y={toY(tick) + 4} textAnchor="end">
                  {figure(tick)}
                </text>
              </g>
            ))}
            {xTicks.map(tick => (
              <text
                key={tick}
                x={toX(tick)}
                y={size.height - MARGIN.bottom + 18}
                textAnchor="middle"
              >
                {figure(tick)}
              </text>
            ))}
            <text
              className="jp-mod-name"
              x={size.width / 2}
              y={size.height - 6}
              textAnchor="middle"
            >
              {title.across}
            </text>
            <text
              className="jp-mod-name"
              transform={`translate(14,${size.height / 2}) rotate(-90)`}
              textAnchor="middle"
            >
              {title.up}
            </text>
            {spots.map(spot => (
              <g
                key={spot.runs[0]}
                role="button"
                tabIndex={0}
                aria-label={text(spot)}
                aria-pressed={isChosen(spot)}
                className={isAny && !isChosen(spot) ? 'jp-mod-out' : ''}
                {...chosenBy(() => toggle(spot))}
              >
                <title>{text(spot)}</title>
                <circle
                  cx={spot.x}
                  cy={spot.y}
                  r={spot.runs.length > 1 ? 9 : 6}
                  style={{ fill: lineColor(spot.runs[0]) }}
                />
                {spot.runs.length > 1 && (
                  <text x={spot.x} y={spot.y + 4} textAnchor="middle">
                    {spot.runs.length}
                  </text>
                )}
              </g>
            ))}
          </svg>
        ) : (
          <p className="jp-perijove-hint">
            {trans.__('The runs have no two figures in common that could be drawn.')}
          </p>
        )}
      </div>
    </div>
  );
}

/** From values to pixels, with a little room, and round values between. */
function scale(values: number[], from: number, to: number): [(value: number) => number, number[]] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least || Math.abs(most) || 1) * 0.06;
  const [low, high] = [least - room, most + room];
  const raw = (high - low) / TICKS;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(round => round * power).find(round => round >= raw) ?? raw;
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) {
    ticks.push(Number(tick.toPrecision(12)));
  }
  return [value => from + ((to - from) * (value - low)) / (high - low), ticks];
}
