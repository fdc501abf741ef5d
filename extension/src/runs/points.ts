/** Points of histories as lines of a chart: axes and smoothing. */
import type { ILine } from '../components/align';
import type { Axis } from '../components/axis';
import type { Series } from '../api';
import { toNumber } from './columns';

/** Where the points are: steps, seconds since 1970, or seconds since `start` (milliseconds). */
export function places(series: Series, axis: Axis, start: number): number[] {
  switch (axis) {
    case 'step':
      return series.steps;
    case 'time':
      return series.times.map(time => time / 1000);
    default:
      return series.times.map(time => (time - start) / 1000);
  }
}

/** Values that can be drawn; null where there is none (NaN, ±Inf). */
export function drawable(series: Series): (number | null)[] {
  return series.values.map(value => {
    const number = toNumber(value);
    return Number.isFinite(number) ? number : null;
  });
}

/**
 * Exponential moving average with bias correction, as TensorBoard's: `weight` 0 changes nothing,
 * near 1 it is slow. Gaps stay gaps.
 */
export function smooth(values: readonly (number | null)[], weight: number): (number | null)[] {
  let average = 0;
  let count = 0;
  return values.map(value => {
    if (value === null) {
      return null;
    }
    average = average * weight + (1 - weight) * value;
    count++;
    return average / (1 - weight ** count);
  });
}

/** The last value of each line, if no line has a course: there is nothing to draw over an axis. */
export function singles(
  lines: readonly ILine[]
): { label: string; index: number; value: number }[] {
  if (!lines.length || lines.some(({ xs }) => xs.length > 1)) {
    return [];
  }
  return lines.flatMap(({ label, index, ys: [value] }) =>
    typeof value === 'number' ? [{ label, index, value }] : []
  );
}

export interface ILook {
  axis: Axis;
  /** 0 to 0.99. */
  smoothing: number;
}

/** A series as a line; smoothed, the points stay below it, faintly. */
export function linesOf(
  series: Series,
  label: string,
  index: number,
  look: ILook,
  start: number
): ILine[] {
  const xs = places(series, look.axis, start);
  const ys = drawable(series);
  if (!look.smoothing || xs.length < 3) {
    return [{ label, index, xs, ys }];
  }
  return [
    { label, index, xs, ys, faint: true },
    { label, index, xs, ys: smooth(ys, look.smoothing) }
  ];
}
