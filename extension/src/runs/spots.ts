/** Where the points of a scatter are drawn: those that would hide each other are one. */
export interface IPoint {
  /** The number of the run. */
  index: number;
  a: number;
  b: number;
}

/** Where points are drawn, and the values of the first of them. */
export interface ISpot {
  x: number;
  y: number;
  a: number;
  b: number;
  /** The numbers of the runs. */
  runs: number[];
}

export function spotsOf(
  points: readonly IPoint[],
  toX: (value: number) => number,
  toY: (value: number) => number
): ISpot[] {
  const spots = new Map<string, ISpot>();
  for (const { index, a, b } of points) {
    const [x, y] = [Math.round(toX(a)), Math.round(toY(b))];
    const there = spots.get(`${x} ${y}`);
    if (there) {
      there.runs.push(index);
    } else {
      spots.set(`${x} ${y}`, { x, y, a, b, runs: [index] });
    }
  }
  return [...spots.values()];
}
