/**
 * Parallel coordinates: a line for each thing, an axis for each of its figures. Ranges are chosen on
 * the axes with the mouse or with the keyboard: up and down move an end, left and right go to the
 * axis beside, Escape chooses all.
 */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { isWithin, type Range } from './brush';
import { Axis, MARGIN } from './parallelaxis';
import { scaleOf, type AxisValue } from './scale';
import { lineColor, lineDash } from './swatch';

export interface IAxis {
  /** With its kind: no other has the same. */
  name: string;
  label: string;
  /** A word: a parameter and a metric may have the same label. */
  kind: string;
  /** One for each thing; null: it has none. */
  values: AxisValue[];
}

export interface IParallelProps {
  axes: IAxis[];
  labels: string[];
  /** Pixels. */
  height: number;
  /** The numbers of the things within all ranges; null: there is no range. */
  onBrush?(chosen: number[] | null): void;
  format(value: number): string;
  trans: TranslationBundle;
}

/** Pixels: beside the outer axes, and between two at least. */
const SIDE = 46;
const APART = 70;

export function Parallel(props: IParallelProps): React.ReactElement {
  const { axes, labels, height, trans } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const [width, setWidth] = React.useState(400);
  const [ranges, setRanges] = React.useState<Readonly<Record<string, Range>>>({});
  const [current, setCurrent] = React.useState(0);
  const [hovered, setHovered] = React.useState<number | null>(null);
  React.useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(host.current?.clientWidth || 400));
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, []);
  const inner = height - MARGIN.top - MARGIN.bottom;
  const last = axes.length - 1;
  const wide = Math.max(width, 2 * SIDE + APART * Math.max(0, last));
  const x = (index: number) => (last > 0 ? SIDE + ((wide - 2 * SIDE) * index) / last : wide / 2);
  const scales = axes.map(axis => scaleOf(axis.values));
  const places = labels.map((_, thing) =>
    axes.map((axis, index) => scales[index].place(axis.values[thing]))
  );
  const isChosen = (thing: number) =>
    axes.every((axis, index) => isWithin(ranges[axis.name], places[thing][index]));
  const chosen = axes.some(axis => ranges[axis.name])
    ? labels.flatMap((_, thing) => (isChosen(thing) ? [thing] : []))
    : null;
  React.useEffect(() => props.onBrush?.(chosen), [chosen?.join()]);
  const draw = (name: string, range: Range | null) =>
    setRanges(known => {
      const others = Object.entries(known).filter(([key]) => key !== name);
      return Object.fromEntries(range ? [...others, [name, range]] : others);
    });
  const onKeyDown = (event: React.KeyboardEvent<SVGSVGElement>) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const thumbs = [...event.currentTarget.querySelectorAll<SVGElement>('[role=slider]')];
    const at = thumbs.indexOf(event.target as SVGElement);
    if (step && at >= 0) {
      event.preventDefault();
      // an axis has two
      thumbs[at + 2 * step]?.focus();
    }
  };
  return (
    <div ref={host} className="jp-perijove-parallel">
      <svg
        width={wide}
        height={height}
        role="group"
        aria-label={trans.__('Parallel coordinates of %1', axes.map(axis => axis.name).join(', '))}
        onKeyDown={onKeyDown}
      >
        {labels.map((label, thing) => {
          const points = places[thing].flatMap((place, index) =>
            place === null ? [] : [`${x(index)},${MARGIN.top + place * inner}`]
          );
          return (
            <polyline
              key={thing}
              aria-hidden="true"
              className={[
                isChosen(thing) ? '' : 'jp-mod-out',
                hovered === thing ? 'jp-mod-hovered' : ''
              ].join(' ')}
              style={{ stroke: lineColor(thing) }}
              strokeDasharray={lineDash(thing).join(' ') || undefined}
              points={points.join(' ')}
              onMouseEnter={() => setHovered(thing)}
              onMouseLeave={() => setHovered(null)}
            >
              <title>{label}</title>
            </polyline>
          );
        })}
        {axes.map((axis, index) => (
          <g key={axis.name} onFocus={() => setCurrent(index)}>
            <Axis
              axis={axis}
              scale={scales[index]}
              range={ranges[axis.name]}
              x={x(index)}
              height={height}
              side={index && index === last ? 'end' : 'start'}
              isCurrent={index === Math.min(current, last)}
              format={props.format}
              trans={trans}
              onRange={range => draw(axis.name, range)}
            />
          </g>
        ))}
      </svg>
      <span className="jp-mod-said" role="status">
        {chosen && trans.__('%1 of %2 chosen', chosen.length, labels.length)}
      </span>
    </div>
  );
}
