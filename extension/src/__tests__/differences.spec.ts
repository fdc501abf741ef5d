import { axesOf, compare } from '../runs/differences';
import { pairCells, pairLines } from '../runs/notebookdiff';
import { trans } from '../widgets/trans';
import { run } from './runrow';

describe('differences', () => {
  it('are what is not the same in all runs', () => {
    const runs = [
      run('a', { params: { x: '1', y: '2' } }),
      run('b', { params: { x: '1', y: '3', z: '4' } })
    ];
    const found = compare(runs, 'params').filter(({ differs }) => differs);
    expect(found.map(({ key, values }) => [key, values])).toEqual([
      ['y', ['2', '3']],
      ['z', [null, '4']]
    ]);
  });

  it('are axes where at least two runs differ', () => {
    const runs = [
      run('a', { params: { x: '1', y: '2' }, metrics: { auc: 0.5, f1: 1, own: 1, y: 7 } }),
      run('b', { params: { x: '1', y: '3', z: '4' }, metrics: { auc: 0.6, f1: 1, y: 8 } })
    ];
    const axes = axesOf(runs, ['auc', 'f1', 'own', 'y'], trans);
    expect(axes.map(({ name }) => name)).toEqual(['y (parameter)', 'auc (metric)', 'y (metric)']);
    expect(axes.map(({ values }) => values)).toEqual([
      [2, 3],
      [0.5, 0.6],
      [7, 8]
    ]);
  });

  it('of notebooks are pairs of cells and of lines', () => {
    const cell = (source: string) => ({ cell_type: 'code', source });
    const left = { cells: [cell('a'), cell('b\nc'), cell('d')] };
    const right = { cells: [cell('a'), cell('new'), cell('b\nx')] };
    const diff = [
      {
        op: 'patch',
        key: 'cells',
        diff: [
          { op: 'addrange', key: 1, valuelist: [cell('new')] },
          { op: 'patch', key: 1, diff: [{ op: 'patch', key: 'source', diff: [] }] },
          { op: 'removerange', key: 2, length: 1 }
        ]
      }
    ];
    const pairs = pairCells(left, right, diff);
    expect(pairs.map(pair => [pair.left?.source, pair.right?.source, pair.changed])).toEqual([
      ['a', 'a', false],
      [undefined, 'new', true],
      ['b\nc', 'b\nx', true],
      ['d', undefined, true]
    ]);
    expect(pairLines('b\nc', 'b\nx')).toEqual([
      { left: 'b', right: 'b' },
      { left: 'c', right: 'x' }
    ]);
  });
});
