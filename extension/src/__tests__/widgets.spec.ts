import type { RunRow } from '../api';
import { dashboardUrl } from '../dashboards/tokens';
import { trans } from '../widgets/trans';
import { treeProps } from '../widgets/tree';
import { cell, direction, nextOrder, runTone, splitColumn, valueText } from '../widgets/values';

const run = {
  run_id: 'a',
  name: 'calm-otter',
  status: 'FINISHED',
  metrics: { 'valid auc': 0.91234567, loss: 'NaN' },
  params: { lr: '0.1' },
  tags: { owner: 'ada' },
  duration: 75
} as unknown as RunRow;

describe('columns of runs', () => {
  it('are read as MLflow writes them', () => {
    expect(splitColumn('metrics.`valid auc`')).toEqual(['metrics', 'valid auc']);
    expect(cell(run, 'metrics.`valid auc`')).toBe(0.91234567);
    expect(cell(run, 'params.lr')).toBe('0.1');
    expect(cell(run, 'tags.owner')).toBe('ada');
    expect(cell(run, 'attributes.duration')).toBe('1 m 15 s');
    expect(cell(run, 'metrics.none')).toBeUndefined();
  });

  it('show numbers shortly, and what is no number as it is', () => {
    expect(valueText(0.91234567)).toBe('0.9123');
    expect(valueText('NaN')).toBe('NaN');
    expect(valueText(undefined)).toBe('–');
    expect(runTone('KILLED')).toBe('canceled');
  });

  it('are sorted downwards, upwards, not at all', () => {
    const column = 'metrics.`valid auc`';
    let order = nextOrder([], column);
    expect(order).toEqual([`${column} DESC`]);
    expect(direction(order, column)).toBe('DESC');
    order = nextOrder(order, column);
    expect(order).toEqual([`${column} ASC`]);
    expect(nextOrder(order, column)).toEqual([]);
    expect(direction(['params.lr'], 'params.lr')).toBe('ASC');
    expect(direction(['params.lr'], column)).toBeNull();
  });
});

it('fills words in', () => {
  expect(trans.__('%1 of %2', 1, 'two')).toBe('1 of two');
  expect(trans._n('%1 run', '%1 runs', 3)).toBe('3 runs');
});

it('asks a dashboard for what it is to show', () => {
  expect(dashboardUrl('leaderboard', { experiment: 'a/b & c', model: undefined })).toBe(
    'perijove/dashboards/leaderboard?experiment=a%2Fb+%26+c'
  );
});

it('rows are chosen with the arrow keys', () => {
  const chosen: string[] = [];
  const press = (key: string, selected?: string) => {
    const tree = treeProps(
      ['a', 'b', 'c'],
      selected,
      key => chosen.push(key),
      key => `row-${key}`
    );
    const preventDefault = jest.fn();
    tree.onKeyDown!({ key, preventDefault } as never);
    return preventDefault.mock.calls.length === 1 && tree['aria-activedescendant'];
  };
  expect(press('ArrowDown')).toBeUndefined();
  expect(press('ArrowDown', 'a')).toBe('row-a');
  expect(press('ArrowUp', 'c')).toBe('row-c');
  expect(press('End', 'gone')).toBeUndefined();
  expect(press('ArrowDown', 'c')).toBe(false);
  expect(press('ArrowUp', 'a')).toBe(false);
  expect(press('x', 'a')).toBe(false);
  expect(chosen).toEqual(['a', 'b', 'b', 'c']);
});
