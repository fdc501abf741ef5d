import type { RunColumn, RunRow } from '../api';
import { isNumeric } from '../components/numeric';
import { columnName, defaultColumns, moved, parseColumn } from '../runs/columns';
import { complete } from '../runs/filter';
import { columnTitles } from '../runs/format';
import { dataFrameCode } from '../runs/insert';
import { trans } from '../widgets/trans';

describe('columns', () => {
  it('are named as MLflow reads them', () => {
    expect(columnName('metrics', 'auc')).toBe('metrics.auc');
    expect(columnName('params', 'learning rate')).toBe('params.`learning rate`');
    expect(columnName('tags', 'a`b')).toBe('tags."a`b"');
    for (const key of ['auc', 'a.b', 'x y', 'a`b']) {
      expect(parseColumn(columnName('metrics', key))?.key).toBe(key);
    }
    expect(parseColumn('nothing')).toBeNull();
    expect(defaultColumns([])).toEqual(['attributes.start_time', 'attributes.duration']);
  });

  it('are moved before another', () => {
    expect(moved(['a', 'b', 'c'], 2, 0)).toEqual(['c', 'a', 'b']);
    expect(moved(['a', 'b', 'c'], 0, 2)).toEqual(['b', 'a', 'c']);
    expect(moved(['a', 'b', 'c'], 0, 3)).toEqual(['b', 'c', 'a']);
    // at the edge it stays
    expect(moved(['a', 'b', 'c'], 0, -1)).toEqual(['a', 'b', 'c']);
  });

  it('are told apart where two have the same key', () => {
    const columns = ['metrics.auc', 'params.y', 'metrics.y', 'attributes.duration'];
    const titles = columnTitles(
      columns.flatMap(name => parseColumn(name) ?? []),
      trans
    );
    expect(titles).toEqual(['auc', 'y (parameter)', 'y (metric)', 'took']);
  });
});

describe('complete', () => {
  const columns = [
    { name: 'metrics.auc', kind: 'metric', key: 'auc', runs: 7, numeric: true },
    { name: 'params.`max depth`', kind: 'param', key: 'max depth', runs: 5, numeric: true }
  ] as RunColumn[];
  const runs = ['linear', 'forest', 'forest', "it's"].map(model => ({ params: { model } }));
  const texts = (text: string) =>
    complete(text, text.length, columns, runs as unknown as RunRow[]).options.map(
      option => option.text
    );

  it.each([
    ['metr', ['metrics.auc']],
    ['depth', ['params.`max depth`']],
    ['metrics.auc ', ['>', '>=', '<', '<=', '=', '!=']],
    ['metrics.auc >', []],
    ['metrics.auc > 0.9 ', ['AND']],
    ["attributes.status = 'FI", ["'FINISHED'"]],
    ["params.`max depth` = '8' AND metrics", ['metrics.auc']],
    ['params.model = ', ["'forest'", "'linear'"]],
    ["params.model != 'lin", ["'linear'"]],
    ['params.model = FOR', ["'forest'"]],
    ['params.model IN ', []],
    ['params.other = ', []]
  ])('proposes after %s', (text, expected) => {
    expect(texts(text)).toEqual(expected);
  });

  it('replaces the word where the caret is', () => {
    const { from, to } = complete('metrics.au > 2', 9, columns);
    expect([from, to]).toEqual([0, 10]);
  });
});
describe('A column of a table', () => {
  it('has figures, though rows may be cut short', () => {
    const rows = [['1', 'x'], ['2.5', '3', '4'], [null], []];
    expect([0, 1, 2, 3].map(at => isNumeric(rows, at))).toEqual([true, false, true, false]);
  });
});

describe('A question', () => {
  it('becomes code that asks for the same runs', () => {
    const query = {
      filter: "params.depth = '8'",
      order_by: ['metrics.auc DESC'],
      view: 'active' as const
    };
    const code = dataFrameCode(['churn'], query);
    expect(code).toContain(`search(\n    "churn",`);
    expect(dataFrameCode(['churn', 'b"c'], query)).toContain(`["churn", "b\\"c"],`);
    expect(code).toContain(`filter="params.depth = '8'"`);
    expect(code).toContain('limit=None,\n).dataframe()');
  });
});
