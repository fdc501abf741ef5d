/** The axis below a chart: how it is divided, and what its ticks are called. */
import type uPlot from 'uplot';

/** Steps, or seconds: since 1970, or since the run began. */
export type Axis = 'step' | 'time' | 'relative';

/** Distances of ticks, for what has no fractions. */
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map(n => n * 10 ** power)).flat();
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const SECONDS = [
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30],
  ...[1, 2, 5, 10, 20, 30].map(n => n * MINUTE),
  ...WHOLE.map(n => n * HOUR)
];

export function ticksOf(axis: Axis): uPlot.Axis {
  switch (axis) {
    case 'step':
      return { size: 24, incrs: WHOLE };
    case 'relative':
      return { size: 24, incrs: SECONDS, space: 70, values: (_, ticks) => ticks.map(spanText) };
    case 'time':
      // times have their date on a second line
      return { size: 38 };
  }
}

/** A tick that is a number; of a logarithmic axis some are left out. */
export function tickText(tick: number | null): string {
  if (tick === null) {
    return '';
  }
  const size = Math.abs(tick);
  return size >= 1e6 || (size > 0 && size < 1e-3)
    ? tick.toExponential(2).replace(/\.?0+e/, 'e')
    : tick.toLocaleString(undefined, { maximumSignificantDigits: 8 });
}

/** A tick of seconds: `20 s`, `1 m 30 s`, `2 h`. */
export function spanText(tick: number | null): string {
  if (tick === null) {
    return '';
  }
  const size = Math.abs(tick);
  const parts: [number, string][] = [
    [Math.floor(size / HOUR), 'h'],
    [Math.floor((size % HOUR) / MINUTE), 'm'],
    [Number((size % MINUTE).toFixed(3)), 's']
  ];
  const text = parts.flatMap(([count, unit]) => (count ? `${tickText(count)} ${unit}` : []));
  return (tick < 0 ? '-' : '') + (text.join(' ') || '0 s');
}
