/** Parallel coordinates: a line for each thing, an axis for each of its figures, with brushing. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { lineColor, lineDash } from './swatch';

export interface IAxis {
  name: string;
  /** One for each thing; null: it has none. */
  values: (number | string | null)[];
}

export interface IParallelProps {
  axes: IAxis[];
  labels: string[];
  /** Pixels. */
  height: number;
  /** Those of the axis' range that were drawn; null: all. */
  onBrush?(chosen: number[] | null): void;
  format(value: number): string;
  trans: TranslationBundle;
}

/** Pixels. */
const MARGIN = { top: 22, bottom: 36, side: 46 };

export function Parallel(props: IParallelProps): React.ReactElement {
  const { axes, labels, height, trans } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const [width, setWidth] = React.useState(400);
  const [brushes, setBrushes] = React.useState<Record<string, [number, number]>>({});
  const [hovered, setHovered] = React.useState<number | null>(null);
  React.useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(host.current?.clientWidth || 400));
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, []);
  const inner = height - MARGIN.top - MARGIN.bottom;
  const wide = Math.max(width, 2 * MARGIN.side + 70 * Math.max(0, axes.length - 1));
  const x = (index: number) =>
    axes.length > 1
      ? MARGIN.side + ((wide - 2 * MARGIN.side) * index) / (axes.length - 1)
      : wide / 2;
  const scales = axes.map(axis => scaleOf(axis.values));
  /** From 0 at the top to 1; null: no value. */
  const placeOf = (index: number, thing: number) => scales[index].place(axes[index].values[thing]);
  const isChosen = (thing: number) =>
    axes.every((axis, index) => {
      const brush = brushes[axis.name];
      const place = placeOf(index, thing);
      return !brush || (place !== null && place >= brush[0] && place <= brush[1]);
    });
  const tell = (next: Record<string, [number, number]>) => {
    setBrushes(next);
  };
  React.useEffect(() => {
    const any = Object.keys(brushes).length > 0;
    props.onBrush?.(any ? labels.flatMap((_, thing) => (isChosen(thing) ? [thing] : [])) : null);
  }, [brushes]);
  const brush = (name: string) => (event: React.PointerEvent<SVGRectElement>) => {
    const target = event.currentTarget;
    const box = target.getBoundingClientRect();
    const at = (y: number) => Math.max(0, Math.min(1, (y - box.top) / box.height));
    const start = at(event.clientY);
    target.setPointerCapture(event.pointerId);
    target.onpointermove = move => {
      const end = at(move.clientY);
      tell({ ...brushes, [name]: [Math.min(start, end), Math.max(start, end)] });
    };
    target.onpointerup = up => {
      target.onpointermove = target.onpointerup = null;
      if (Math.abs(at(up.clientY) - start) < 0.02) {
        tell(Object.fromEntries(Object.entries(brushes).filter(([key]) => key !== name)));
      }
    };
  };
  return (
    <div ref={host} className="jp-perijove-parallel">
      <svg
        width={wide}
        height={height}
        role="img"
        aria-label={trans.__('Parallel coordinates of %1', axes.map(axis => axis.name).join(', '))}
      >
        {labels.map((label, thing) => {
          const points = axes.flatMap((_, index) => {
            const place = placeOf(index, thing);
            return place === null ? [] : [`${x(index)},${MARGIN.top + place * inner}`];
          });
          const chosen = isChosen(thing);
          return (
            <polyline
              key={thing}
              className={[
                chosen ? '' : 'jp-mod-out',
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
        {axes.map((axis, index) => {
          const scale = scales[index];
          const drawn = brushes[axis.name];
          return (
            <g key={axis.name} transform={`translate(${x(index)},0)`}>
              <line y1={MARGIN.top} y2={height - MARGIN.bottom} />
              <text y={height - 6} textAnchor="middle" className="jp-mod-name">
                <title>{axis.name}</title>
                {short(axis.name)}
              </text>
              {scale.ends(props.format).map(([text, place]) => (
                <text
                  key={text + place}
                  x={index === axes.length - 1 && index ? -5 : 5}
                  y={MARGIN.top + place * inner + (place === 0 ? -4 : place === 1 ? 12 : 4)}
                  textAnchor={index === axes.length - 1 && index ? 'end' : 'start'}
                >
                  {text}
                </text>
              ))}
              <rect
                className="jp-mod-handle"
                x={-10}
                width={20}
                y={MARGIN.top}
                height={inner}
                onPointerDown={brush(axis.name)}
              >
                <title>{trans.__('Draw a range to choose runs; click to choose all')}</title>
              </rect>
              {drawn && (
                <rect
                  className="jp-mod-brush"
                  x={-6}
                  width={12}
                  y={MARGIN.top + drawn[0] * inner}
                  height={Math.max(1, (drawn[1] - drawn[0]) * inner)}
                />
              )}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

interface IScale {
  place(value: number | string | null): number | null;
  ends(format: (value: number) => string): [string, number][];
}

/** Numbers from the bottom up; texts in their order, evenly. */
export function scaleOf(values: readonly (number | string | null)[]): IScale {
  const known = values.filter(value => value !== null && value !== '');
  const numbers = known.map(Number);
  if (numbers.every(Number.isFinite)) {
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
    const span = most - least;
    return {
      place: value =>
        value === null || value === '' ? null : span ? 1 - (Number(value) - least) / span : 0.5,
      ends: format =>
        !numbers.length
          ? []
          : span
            ? [
                [format(most), 0],
                [format(least), 1]
              ]
            : [[format(most), 0.5]]
    };
  }
  const texts = [...new Set(known.map(String))].sort();
  const at = (text: string) => (texts.length > 1 ? texts.indexOf(text) / (texts.length - 1) : 0.5);
  return {
    place: value => (value === null || value === '' ? null : at(String(value))),
    ends: () => (texts.length > 6 ? [] : texts.map(text => [short(text), at(text)]))
  };
}

function short(text: string): string {
  return text.length > 14 ? `${text.slice(0, 13)}…` : text;
}
