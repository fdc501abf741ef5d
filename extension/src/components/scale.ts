/** Where values stand on an axis, from 0 at the top to 1. */

export type AxisValue = number | string | null;

export interface IStop {
  value: number | string;
  place: number;
}

export interface IScale {
  /** Null: there is no value. */
  place(value: AxisValue): number | null;
  /** The values that there are, from the top down. */
  stops: readonly IStop[];
  /** Those that are written beside the axis. */
  marks: readonly IStop[];
}

/** Texts beside an axis, at most. */
const MARKS = 6;

/** Numbers from the bottom up; texts in their order, evenly. */
export function scaleOf(values: readonly AxisValue[]): IScale {
  const isKnown = (value: AxisValue) => value !== null && value !== '';
  const known = values.filter(isKnown);
  const numbers = known.map(Number);
  const isNumeric = numbers.every(Number.isFinite);
  const found: (number | string)[] = isNumeric
    ? [...new Set(numbers)].sort((a, b) => b - a)
    : [...new Set(known.map(String))].sort();
  const [most, least] = [Number(found[0]), Number(found[found.length - 1])];
  const at = (value: number | string) =>
    found.length < 2
      ? 0.5
      : isNumeric
        ? (most - Number(value)) / (most - least)
        : found.indexOf(String(value)) / (found.length - 1);
  const stops = found.map(value => ({ value, place: at(value) }));
  const ends = stops.filter((_, index) => index === 0 || index === stops.length - 1);
  return {
    place: value => (isKnown(value) ? at(value!) : null),
    stops,
    marks: isNumeric ? ends : stops.length > MARKS ? [] : stops
  };
}
