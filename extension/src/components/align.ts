/** Points of several lines as the columns that a chart takes. */
import uPlot from 'uplot';

export interface ILine {
  label: string;
  /** Which colour it has. */
  index: number;
  xs: readonly number[];
  /** null: nothing to draw there (NaN, Inf). */
  ys: readonly (number | null)[];
  /** Is it what another line smooths? */
  faint?: boolean;
  /** Is it only there to compare with? Grey and dashed, and it has no colour of its own. */
  past?: boolean;
}

/** Is there a point to draw? On a log scale, one above 0. */
export function isDrawable(lines: readonly ILine[], log: boolean): boolean {
  return lines.some(({ ys }) => ys.some(y => y !== null && (y > 0 || !log)));
}

type Columns = [number[], (number | null)[]];

/** One column of places and one of values for each line; lines of their own places are joined. */
export function align(lines: readonly ILine[], log = false): uPlot.AlignedData {
  const tables = lines.map(line => sorted(line, log));
  if (!tables.length) {
    return [[]];
  }
  const [first] = tables;
  if (tables.every(table => same(table[0], first[0]))) {
    return [first[0], ...tables.map(table => table[1])];
  }
  return uPlot.join(tables.map(unique) as uPlot.AlignedData[]);
}

/** In the order of the axis: steps may go backwards. On a logarithmic axis only what is positive. */
function sorted(line: ILine, log: boolean): Columns {
  const ys = log ? line.ys.map(y => (y !== null && y > 0 ? y : null)) : [...line.ys];
  const xs = [...line.xs];
  if (xs.every((x, index) => !index || xs[index - 1] <= x)) {
    return [xs, ys];
  }
  const order = xs.map((_, index) => index).sort((a, b) => xs[a] - xs[b] || a - b);
  return [order.map(index => xs[index]), order.map(index => ys[index])];
}

/** The last value of each place. */
function unique([xs, ys]: Columns): Columns {
  const isLast = (index: number) => xs[index] !== xs[index + 1];
  return [xs.filter((_, index) => isLast(index)), ys.filter((_, index) => isLast(index))];
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((x, index) => x === b[index]));
}

/** The places of values between gaps: a line needs two. What is undefined is no gap, only a place of
 * another line. */
export function lone(values: ArrayLike<number | null | undefined>): number[] {
  const found: number[] = [];
  let length = 0;
  let last = 0;
  for (let at = 0; at <= values.length; at++) {
    const value = at < values.length ? values[at] : null;
    if (value === null) {
      if (length === 1) {
        found.push(last);
      }
      length = 0;
    } else if (value !== undefined) {
      length++;
      last = at;
    }
  }
  return found;
}
