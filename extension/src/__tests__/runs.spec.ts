import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { EventStream, RunColumn, RunRow, TrackingChange } from '../api';
import { align, lone } from '../components/align';
import { isWithin, moved as brushed } from '../components/brush';
import { layers } from '../components/layers';
import { isNumeric } from '../components/numeric';
import { scaleOf } from '../components/scale';
import { lastRuns } from '../jobs/lastruns';
import { columnName, defaultColumns, moved, parseColumn } from '../runs/columns';
import { axesOf, compare } from '../runs/differences';
import { complete } from '../runs/filter';
import { group } from '../runs/groups';
import { History } from '../runs/history';
import { columnTitles } from '../runs/format';
import { dataFrameCode } from '../runs/insert';
import { RunManager } from '../runs/manager';
import { pairCells, pairLines } from '../runs/notebookdiff';
import { smooth } from '../runs/points';
import { Selection } from '../runs/selection';
import { Sparks } from '../runs/sparks';
import { RunTable } from '../runs/table';
import { trans } from '../widgets/trans';

const run = (id: string, more: Partial<RunRow> = {}): RunRow => ({
  run_id: id,
  name: id,
  experiment_id: '1',
  status: 'FINISHED',
  lifecycle_stage: 'active',
  children: 0,
  ...more
});

const change = (more: Partial<TrackingChange>): TrackingChange => ({
  experiments: [],
  runs: [],
  models: [],
  everything: false,
  ...more
});

function fakeStream(): any {
  const stream: any = {};
  stream.tracking = new Signal<any, any>(stream);
  return stream;
}

/** A hub of 250 runs, and what it was asked. */
class Hub {
  readonly stream: any = fakeStream();
  readonly asked: any[] = [];
  runs: RunRow[] = Array.from({ length: 250 }, (_, n) =>
    run(`r${n}`, { metrics: { auc: n / 250 }, params: { depth: String(n % 3) } })
  );
  refusal: [number, object] | null = null;
  series: any[] = [];

  readonly manager = new RunManager(
    {
      ...ServerConnection.makeSettings({ baseUrl: 'http://here/' }),
      fetch: async (request: Request) => {
        const body = await request.json();
        this.asked.push(body);
        if (this.refusal) {
          const [status, error] = this.refusal;
          return new Response(JSON.stringify({ error }), { status });
        }
        return new Response(JSON.stringify(this.answer(new URL(request.url).pathname, body)));
      }
    } as ServerConnection.ISettings,
    this.stream as EventStream
  );

  private answer(path: string, body: any): object {
    if (path.endsWith('/history')) {
      return this.series;
    }
    const found = body.parent_run_id
      ? this.runs.filter(one => one.parent_run_id === body.parent_run_id)
      : this.runs.filter(one => !body.parents_only || !one.parent_run_id);
    const { offset = 0, limit = 100 } = body;
    return {
      total: found.length,
      running: 0,
      offset,
      runs: found.slice(offset, offset + limit)
    };
  }
}

const settled = () => new Promise(resolve => setTimeout(resolve, 5));

describe('Sparks', () => {
  it('know a metric that has no course to draw', async () => {
    const hub = new Hub();
    const sparks = new Sparks(hub.manager, () => undefined);
    hub.series = [{ run_id: 'a', series: [{ values: [1] }] }];
    expect(await sparks.fetch(['a'], 'auc')).toBe(true);
    expect(sparks.isFlat('auc')).toBe(true);
    expect(await sparks.fetch(['a'], 'auc')).toBe(false);
    hub.series = [{ run_id: 'a', series: [{ values: [1, 2] }] }];
    sparks.age(['a'], 'auc');
    expect(await sparks.fetch(['a'], 'auc')).toBe(true);
    expect([sparks.isFlat('auc'), sparks.get('a', 'auc')]).toEqual([false, [1, 2]]);
  });
});

describe('RunTable', () => {
  let hub: Hub;
  let table: RunTable;

  beforeEach(async () => {
    hub = new Hub();
    table = new RunTable(hub.manager, ['1']);
    await table.reload();
  });

  afterEach(() => table.dispose());

  const id = (index: number) => {
    const line = table.line(index);
    return line.kind === 'run' ? line.run.run_id : line.kind;
  };

  it('fetches what is seen, a page at a time', async () => {
    expect(table.length).toBe(250);
    expect([id(0), id(99), id(100)]).toEqual(['r0', 'r99', 'missing']);
    table.see(195, 215);
    await settled();
    expect([id(99), id(100), id(249)]).toEqual(['r99', 'r100', 'r249']);
    expect(hub.asked.map(({ offset }) => offset)).toEqual([0, 100, 200]);
    table.see(0, 249);
    await settled();
    expect(hub.asked).toHaveLength(3);
  });

  it('chooses columns from the first runs, and asks for no others then', async () => {
    expect(hub.asked[0].columns).toBeNull();
    expect(table.columns.map(({ name }) => name)).toEqual([
      'attributes.start_time',
      'attributes.duration',
      'metrics.auc',
      'params.depth'
    ]);
    table.see(100, 120);
    await settled();
    expect(hub.asked[1].columns).toEqual(['metrics.auc', 'params.depth']);
  });

  it('sorts by a column one way, the other way, and not at all', async () => {
    await table.sort('metrics.auc');
    expect(hub.asked[1].order_by).toEqual(['metrics.auc DESC']);
    expect(hub.asked[1].parents_only).toBe(false);
    await table.sort('metrics.auc');
    expect(hub.asked[2].order_by).toEqual(['metrics.auc ASC']);
    await table.sort('metrics.auc');
    expect(hub.asked[3].order_by).toEqual([]);
    expect(hub.asked[3].parents_only).toBe(true);
  });

  it('keeps what it shows when a filter is refused, and says why', async () => {
    hub.refusal = [422, { code: 'invalid', message: "Invalid comparator '>>'." }];
    await table.ask({ filter: 'metrics.auc >> 2' });
    expect(table.error?.text).toBe("Invalid comparator '>>'.");
    expect(id(0)).toBe('r0');
    hub.refusal = null;
    await table.ask({ filter: 'metrics.auc > 0' });
    expect(table.error).toBeNull();
  });

  it('shows nested runs below their parent, also when it is a page later', async () => {
    hub.runs[1].children = 2;
    hub.runs.push(
      run('a', { parent_run_id: 'r1', children: 1 }),
      run('b', { parent_run_id: 'r1' }),
      run('c', { parent_run_id: 'a' })
    );
    await table.reload();
    await table.toggle('r1');
    await table.toggle('a');
    expect(table.length).toBe(253);
    expect([1, 2, 3, 4, 5].map(id)).toEqual(['r1', 'a', 'c', 'b', 'r2']);
    expect([2, 3].map(index => (table.line(index) as any).depth)).toEqual([1, 2]);
    await table.toggle('r1');
    expect([1, 2].map(id)).toEqual(['r1', 'r2']);
  });

  it('groups by a column, numbers in their order', async () => {
    await table.ask({ group_by: 'params.depth' });
    expect(table.length).toBe(253);
    const head = table.line(0);
    expect(head.kind === 'group' && [head.group.value, head.group.runs.length]).toEqual(['0', 84]);
    table.toggleGroup('0');
    expect([id(0), id(1)]).toEqual(['group', 'group']);
    const values = ['10', 'x', '9', null].map((value, n) =>
      run(String(n), { params: value === null ? {} : { p: value } })
    );
    const found = group(values, { name: 'params.p', kind: 'params', key: 'p' });
    expect(found.map(({ value }) => value)).toEqual(['9', '10', 'x', null]);
  });

  it('reads what is seen again when its runs change; hidden, when it is shown again', async () => {
    table.isShown = false;
    hub.stream.tracking.emit(change({ runs: ['elsewhere'] }));
    table.isShown = true;
    await settled();
    expect(hub.asked).toHaveLength(1);
    table.isShown = false;
    hub.stream.tracking.emit(change({ runs: ['r3'] }));
    hub.runs[3] = { ...hub.runs[3], name: 'renamed' };
    table.isShown = true;
    await settled();
    expect(hub.asked).toHaveLength(2);
    expect((table.line(3) as any).run.name).toBe('renamed');
  });

  it('chooses runs from one to another', () => {
    const selection = new Selection();
    selection.toggle('r4');
    selection.extend('r2', table);
    expect(selection.ids.sort()).toEqual(['r2', 'r3', 'r4']);
  });
});

describe('History', () => {
  it('adds what came since to what there is', async () => {
    const hub = new Hub();
    const history = new History(hub.manager);
    const series = (steps: number[]) => ({
      key: 'loss',
      points: steps.length,
      steps,
      times: steps,
      values: steps.map(step => (step === 2 ? 'NaN' : step))
    });
    hub.series = [{ run_id: 'a', series: [series([0, 1])], cursor: 'one', complete: false }];
    const said: boolean[] = [];
    history.changed.connect(() => said.push(history.isLoading));
    expect(history.isLoading).toBe(true);
    history.ask({ runIds: ['a'], keys: null, maxPoints: 100, axis: 'step', range: null });
    await settled();
    expect(said).toEqual([true, false]);
    history.isShown = false;
    hub.series = [{ run_id: 'a', series: [series([2, 3])], cursor: 'two', complete: true }];
    hub.stream.tracking.emit(change({ runs: ['a'] }));
    history.isShown = true;
    await settled();
    expect(hub.asked[1].after).toEqual({ a: 'one' });
    expect(history.get('a', 'loss')).toMatchObject({ points: 4, values: [0, 1, 'NaN', 3] });
    history.dispose();
  });
});

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
});

describe('complete', () => {
  const columns = [
    { name: 'metrics.auc', kind: 'metric', key: 'auc', runs: 7, numeric: true },
    { name: 'params.`max depth`', kind: 'param', key: 'max depth', runs: 5, numeric: true }
  ] as RunColumn[];
  const texts = (text: string) =>
    complete(text, text.length, columns).options.map(option => option.text);

  it.each([
    ['metr', ['metrics.auc']],
    ['depth', ['params.`max depth`']],
    ['metrics.auc ', ['>', '>=', '<', '<=', '=', '!=']],
    ['metrics.auc >', []],
    ['metrics.auc > 0.9 ', ['AND']],
    ["attributes.status = 'FI", ["'FINISHED'"]],
    ["params.`max depth` = '8' AND metrics", ['metrics.auc']]
  ])('proposes after %s', (text, expected) => {
    expect(texts(text)).toEqual(expected);
  });

  it('replaces the word where the caret is', () => {
    const { from, to } = complete('metrics.au > 2', 9, columns);
    expect([from, to]).toEqual([0, 10]);
  });
});

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

describe('A column of a table', () => {
  it('has figures, though rows may be cut short', () => {
    const rows = [['1', 'x'], ['2.5', '3', '4'], [null], []];
    expect([0, 1, 2, 3].map(at => isNumeric(rows, at))).toEqual([true, false, true, false]);
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

  it('are columns that are told apart where two have the same key', () => {
    const columns = ['metrics.auc', 'params.y', 'metrics.y', 'attributes.duration'];
    const titles = columnTitles(
      columns.flatMap(name => parseColumn(name) ?? []),
      trans
    );
    expect(titles).toEqual(['auc', 'y (parameter)', 'y (metric)', 'took']);
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

  it('become code that asks for the same runs', () => {
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

describe('The last runs', () => {
  const of = (id: string, more: Partial<RunRow> = {}) =>
    run(id, { source: 'train.ipynb', job_id: `job of ${id}`, ...more });

  it('are those before the run, of the same notebook', () => {
    const found = lastRuns(
      [
        of('later'),
        of('own'),
        of('other', { source: 'x.py' }),
        of('by hand', { job_id: null })
      ].concat(Array.from({ length: 9 }, (_, n) => of(`before ${n}`))),
      'own'
    );
    expect(found.map(({ run_id }) => run_id)).toEqual([
      'own',
      ...[0, 1, 2, 3, 4].map(n => `before ${n}`)
    ]);
  });

  it('are none where the run is not among them', () => {
    expect(lastRuns([of('a')], 'b')).toEqual([]);
  });
});
