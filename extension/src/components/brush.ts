/** A range that is chosen on an axis, and how the keyboard moves its ends. */

/** Its upper and its lower end, from 0 at the top of the axis to 1. */
export type Range = readonly [number, number];
/** Which of them. */
export type End = 0 | 1;

/** Values that a page key passes. */
const PAGE = 10;

/**
 * The range after a key on one of its ends; null: all of the axis; undefined: the key means nothing.
 *
 * `stops`: the places of the axis' values, from the top down. An end goes from one to the next, as
 * far as to the other end.
 */
export function moved(
  range: Range | null,
  end: End,
  key: string,
  stops: readonly number[]
): Range | null | undefined {
  const [top, bottom] = [stops[0], stops[stops.length - 1]];
  const known = range ?? [top, bottom];
  const above = stops.filter(place => place < known[end]).reverse();
  const below = stops.filter(place => place > known[end]);
  const targets: Record<string, number> = {
    ArrowUp: above[0] ?? top,
    ArrowDown: below[0] ?? bottom,
    PageUp: above[PAGE - 1] ?? top,
    PageDown: below[PAGE - 1] ?? bottom,
    End: top,
    Home: bottom
  };
  if (!(key in targets)) {
    return undefined;
  }
  const next: Range =
    end === 0
      ? [Math.min(targets[key], known[1]), known[1]]
      : [known[0], Math.max(targets[key], known[0])];
  return next[0] <= top && next[1] >= bottom ? null : next;
}

/** Is something at this place chosen? What has no place is not in any range. */
export function isWithin(range: Range | undefined, place: number | null): boolean {
  return !range || (place !== null && place >= range[0] && place <= range[1]);
}
