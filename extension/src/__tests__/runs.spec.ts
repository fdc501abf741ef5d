import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { EventStream, RunRow, TrackingChange } from '../api';
import { lastRuns } from '../jobs/lastruns';
import { group } from '../runs/groups';
import { History } from '../runs/history';
import { RunManager } from '../runs/manager';
import { Selection } from '../runs/selection';
import { Sparks } from '../runs/sparks';
import { spotsOf } from '../runs/spots';
import { RunTable } from '../runs/table';
import { run } from './runrow';

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
  /** Runs that one answer brings. */
  most = Infinity;

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
    const { offset = 0 } = body;
    const limit = Math.min(body.limit ?? 100, this.most);
    return {
      total: found.length,
      nested: body.parents_only ? this.runs.length - found.length : 0,
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

describe('spotsOf', () => {
  it('makes one of points that would hide each other', () => {
    const points = [
      { index: 0, a: 1, b: 0.5 },
      { index: 1, a: 2, b: 0.5 },
      { index: 3, a: 1.001, b: 0.5 }
    ];
    const pixels = (value: number) => value * 100;
    expect(spotsOf(points, pixels, pixels)).toEqual([
      { x: 100, y: 50, a: 1, b: 0.5, runs: [0, 3] },
      { x: 200, y: 50, a: 2, b: 0.5, runs: [1] }
    ]);
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
    expect(table.isAnswered).toBe(false);
    // what is scrolled to would be refused as well, again and again
    table.see(100, 120);
    await settled();
    expect(hub.asked).toHaveLength(2);
    hub.refusal = null;
    await table.ask({ filter: '' });
    expect(table.error).toBeNull();
    expect(table.isAnswered).toBe(true);
    expect([id(0), id(100)]).toEqual(['r0', 'r100']);
  });

  it('shows nested runs below their parent, also when it is a page later', async () => {
    hub.runs[1].children = 2;
    hub.runs.push(
      run('a', { parent_run_id: 'r1', children: 1 }),
      run('b', { parent_run_id: 'r1' }),
      run('c', { parent_run_id: 'a' })
    );
    await table.reload();
    expect([table.total, table.nested, table.length]).toEqual([253, 3, 250]);
    expect((await table.all()).runs).toHaveLength(253);
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
    expect(table.cut).toBeNull();
    hub.most = 200;
    await table.reload();
    expect(table.cut).toBe(200);
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
