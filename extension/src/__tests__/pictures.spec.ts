import { spanText, ticksOf } from '../components/axis';
import { align, lone } from '../components/align';
import { isWithin, moved as brushed } from '../components/brush';
import { layers } from '../components/layers';
import { scaleOf } from '../components/scale';
import { smooth } from '../runs/points';

describe('pictures', () => {
  it('put lines of different steps beside each other', () => {
    const line = (xs: number[], ys: (number | null)[]) => ({ label: '', index: 0, xs, ys });
    expect(align([line([2, 1], [20, 10])])).toEqual([
      [1, 2],
      [10, 20]
    ]);
    const [xs, a, b] = align([line([0, 2], [1, 2]), line([1, 2, 2], [5, 6, 7])]);
    expect([...xs]).toEqual([0, 1, 2]);
    expect([...a]).toEqual([1, undefined, 2]);
    expect([...b]).toEqual([undefined, 5, 7]);
    expect(align([line([0, 1], [0, 10])], true)[1]).toEqual([null, 10]);
  });

  it('has points where a value stands between gaps', () => {
    expect(lone([1, null, 2, 3, null, 4])).toEqual([0, 5]);
    // a place of another line is no gap
    expect(lone([1, undefined, 2, null, undefined, 5])).toEqual([5]);
    expect(lone([null, null])).toEqual([]);
  });

  it('smooth as TensorBoard does, around gaps', () => {
    expect(smooth([1, null, 3], 0)).toEqual([1, null, 3]);
    expect(smooth([2, 2, 2], 0.9).map(value => value!.toFixed(6))).toEqual(
      Array(3).fill('2.000000')
    );
  });

  it('put each thing right of what leads to it', () => {
    const nodes = ['data', 'run', 'model', 'other'].map(id => ({ id }));
    const placed = layers(nodes, [
      ['data', 'run'],
      ['run', 'model'],
      ['model', 'run']
    ]);
    const column = (id: string) => placed.find(({ node }) => node.id === id)!.column;
    expect(column('data')).toBe(0);
    expect(column('run')).toBeGreaterThan(0);
    expect(column('other')).toBe(0);
    const scale = scaleOf([1, 3, null, 2, 3]);
    expect([scale.place(3), scale.place(1), scale.place(null)]).toEqual([0, 1, null]);
    expect(scale.stops.map(({ value }) => value)).toEqual([3, 2, 1]);
    expect(scale.marks.map(({ value }) => value)).toEqual([3, 1]);
    expect(scaleOf(['a', 'b']).place('b')).toBe(1);
    expect(scaleOf([7, null, 7]).place(7)).toBe(0.5);
  });
});

describe('A range on an axis', () => {
  const stops = [0, 0.2, 0.6, 1];

  it('has ends that go from value to value, and not past each other', () => {
    expect(brushed(null, 0, 'ArrowDown', stops)).toEqual([0.2, 1]);
    expect(brushed([0.2, 1], 1, 'ArrowUp', stops)).toEqual([0.2, 0.6]);
    expect(brushed([0.2, 0.6], 1, 'PageUp', stops)).toEqual([0.2, 0.2]);
    expect(brushed([0.2, 0.6], 0, 'Home', stops)).toEqual([0.6, 0.6]);
    // drawn with the mouse, it may end between values
    expect(brushed([0.3, 0.7], 0, 'ArrowUp', stops)).toEqual([0.2, 0.7]);
    expect(brushed([0.3, 0.7], 0, 'Enter', stops)).toBeUndefined();
  });

  it('is none when it is all of the axis, so that things without a value are chosen, too', () => {
    expect(brushed([0.2, 1], 0, 'ArrowUp', stops)).toBeNull();
    expect(brushed(null, 1, 'ArrowDown', stops)).toBeNull();
    expect([isWithin([0, 1], null), isWithin(undefined, null)]).toEqual([false, true]);
    expect([isWithin([0.2, 0.6], 0.2), isWithin([0.2, 0.6], 0.61)]).toEqual([true, false]);
  });
});

describe('An axis', () => {
  it.each([
    [0, '0 s'],
    [0.5, '0.5 s'],
    [90, '1 m 30 s'],
    [7200, '2 h'],
    [-580, '-9 m 40 s']
  ])('of seconds calls %d %s', (seconds, text) => {
    expect(spanText(seconds)).toBe(text);
  });
  it('of steps has no fractions', () => {
    const incrs = ticksOf('step').incrs as number[];
    expect(incrs.every(Number.isInteger)).toBe(true);
    expect(incrs.slice(0, 5)).toEqual([1, 2, 5, 10, 20]);
  });
});
