/** An axis of parallel coordinates: its name, its values, and the range chosen on it. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { isWithin, moved, type End, type Range } from './brush';
import type { IAxis } from './parallel';
import type { IScale } from './scale';

/** Pixels: above and below each axis. */
export const MARGIN = { top: 22, bottom: 48 };
/** Of the axis: a range that is shorter was a click. */
const CLICK = 0.02;
const ENDS: readonly End[] = [0, 1];

export interface IAxisProps {
  axis: IAxis;
  scale: IScale;
  range: Range | undefined;
  /** Pixels: its place, and the height of the picture. */
  x: number;
  height: number;
  /** On which side of it the values between its ends are written. */
  side: 'start' | 'end';
  /** Does the Tab key reach it? One axis of all is enough: arrows go to the others. */
  isCurrent: boolean;
  format(value: number): string;
  trans: TranslationBundle;
  /** Null: all of it. */
  onRange(range: Range | null): void;
}

export function Axis(props: IAxisProps): React.ReactElement {
  const { scale, range, height, side, trans } = props;
  const { name, label, kind } = props.axis;
  const inner = height - MARGIN.top - MARGIN.bottom;
  const y = (place: number) => MARGIN.top + place * inner;
  const text = (value: number | string) =>
    typeof value === 'number' ? props.format(value) : short(value);
  const onPointerDown = (event: React.PointerEvent<SVGRectElement>) => {
    const target = event.currentTarget;
    const box = target.getBoundingClientRect();
    const at = (to: number) => Math.max(0, Math.min(1, (to - box.top) / box.height));
    const start = at(event.clientY);
    target.setPointerCapture(event.pointerId);
    target.onpointermove = move => {
      const end = at(move.clientY);
      props.onRange([Math.min(start, end), Math.max(start, end)]);
    };
    target.onpointerup = up => {
      target.onpointermove = target.onpointerup = null;
      if (Math.abs(at(up.clientY) - start) < CLICK) {
        props.onRange(null);
      }
    };
  };
  return (
    <g
      role="group"
      aria-label={name}
      transform={`translate(${props.x},0)`}
      className={range ? 'jp-mod-drawn' : ''}
    >
      <line y1={y(0)} y2={y(1)} />
      <text y={height - 18} textAnchor="middle" className="jp-mod-name" aria-hidden="true">
        <title>{name}</title>
        {short(label)}
      </text>
      <text y={height - 5} textAnchor="middle" aria-hidden="true">
        {kind}
      </text>
      {scale.marks.map(({ value, place }) => {
        const isEnd = place === 0 || place === 1;
        return (
          <text
            key={value}
            x={isEnd ? 0 : side === 'end' ? -5 : 5}
            y={y(place) + (place === 0 ? -6 : place === 1 ? 14 : 4)}
            textAnchor={isEnd ? 'middle' : side}
            aria-hidden="true"
          >
            {text(value)}
          </text>
        );
      })}
      <rect
        className="jp-mod-handle"
        x={-10}
        width={20}
        y={y(0)}
        height={inner}
        onPointerDown={onPointerDown}
      >
        <title>{trans.__('Draw a range to choose runs; click to choose all')}</title>
      </rect>
      {range && (
        <rect
          className="jp-mod-brush"
          x={-6}
          width={12}
          y={y(range[0])}
          height={Math.max(1, (range[1] - range[0]) * inner)}
        />
      )}
      {scale.stops.length > 1 &&
        ENDS.map(end => (
          <Thumb key={end} {...props} end={end} y={y(range?.[end] ?? end)} text={text} />
        ))}
    </g>
  );
}

/** One end of the range, for the keyboard. */
function Thumb(
  props: IAxisProps & { end: End; y: number; text(value: number | string): string }
): React.ReactElement {
  const { axis, scale, range, end, trans } = props;
  const { stops } = scale;
  const last = stops.length - 1;
  // the outermost value that is in the range
  const within = stops.flatMap(({ place }, index) => (isWithin(range, place) ? [index] : []));
  const at = (end === 0 ? within[0] : within[within.length - 1]) ?? (end === 0 ? 0 : last);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const places = stops.map(({ place }) => place);
    const next = event.key === 'Escape' ? null : moved(range ?? null, end, event.key, places);
    if (next !== undefined && !(event.ctrlKey || event.metaKey || event.altKey)) {
      event.preventDefault();
      event.stopPropagation();
      props.onRange(next);
    }
  };
  return (
    <rect
      className="jp-mod-end"
      role="slider"
      tabIndex={props.isCurrent ? 0 : -1}
      aria-label={
        end === 0 ? trans.__('Upper end of %1', axis.name) : trans.__('Lower end of %1', axis.name)
      }
      aria-orientation="vertical"
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={last - at}
      aria-valuetext={props.text(stops[at].value)}
      aria-keyshortcuts="ArrowUp ArrowDown ArrowLeft ArrowRight Escape"
      x={-9}
      width={18}
      y={props.y - 3}
      height={6}
      rx={2}
      onKeyDown={onKeyDown}
    />
  );
}

function short(text: string): string {
  return text.length > 14 ? `${text.slice(0, 13)}…` : text;
}
