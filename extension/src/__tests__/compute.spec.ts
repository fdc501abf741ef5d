import { nullTranslator } from '@jupyterlab/translation';
import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { EventStream, Target, TargetNode } from '../api';
import { whenDifferent } from '../components/running';
import { exactSize, parseSize, sizeText } from '../components/size';
import { Figures, WINDOW } from '../compute/figures';
import { memoryText, occupancy, stopNotice, summary, tone } from '../compute/format';
import { ComputeManager, isChanging, isManaged, isOff } from '../compute/manager';
import { counts } from '../compute/nodebar';
import { announceStops } from '../compute/notify';
import { follow } from '../compute/usefigures';

const trans = nullTranslator.load('perijove');

const target = (name: string, more: Partial<Target> = {}): Target => ({
  name,
  kind: 'cluster',
  on: 'local',
  state: 'running',
  slots: 4,
  current_nodes: 0,
  busy_nodes: 0,
  target_nodes: 0,
  min_nodes: 0,
  max_nodes: 4,
  running_jobs: 0,
  queued_jobs: 0,
  node_hours: 0,
  ...more
});
const local = target('local', { kind: 'local', slots: 2, current_nodes: 1, target_nodes: 1 });

const node = (id: string, more: Partial<TargetNode> = {}): TargetNode => ({
  id,
  state: 'idle',
  cpus: 1,
  gpus: 0,
  jobs: [],
  ...more
});

function fakeStream(): any {
  const stream: any = {};
  stream.compute = new Signal<any, any>(stream);
  return stream;
}

describe('ComputeManager', () => {
  let stream: any;
  let manager: ComputeManager;
  let changes: number;
  let asked: [string, any][];

  beforeEach(() => {
    stream = fakeStream();
    asked = [];
    const settings = {
      ...ServerConnection.makeSettings({ baseUrl: 'http://here/' }),
      fetch: async (request: Request) => {
        const body = request.method === 'POST' ? await request.json() : null;
        asked.push([`${request.method} ${new URL(request.url).pathname}`, body]);
        return new Response('{}', { headers: { 'Content-Type': 'application/json' } });
      }
    } as ServerConnection.ISettings;
    manager = new ComputeManager(settings, stream as EventStream);
    changes = 0;
    manager.changed.connect(() => changes++);
  });

  it('has what the stream told last', () => {
    expect(manager.isReady).toBe(false);
    stream.compute.emit([local, target('Train')]);
    expect(manager.isReady).toBe(true);
    expect(manager.get('train')?.name).toBe('Train');
    stream.compute.emit([local]);
    expect(manager.get('train')).toBeUndefined();
    expect(changes).toBe(2);
  });

  it('says once that a target has failed, and only of those it saw well', () => {
    const failed: string[] = [];
    manager.failed.connect((_, { name }) => failed.push(name));
    stream.compute.emit([target('old', { state: 'failed' }), target('new')]);
    stream.compute.emit([target('old', { state: 'failed' }), target('new', { state: 'failed' })]);
    stream.compute.emit([target('old', { state: 'failed' }), target('new', { state: 'failed' })]);
    expect(failed).toEqual(['new']);
  });

  it('allows what the state allows, and nothing to this machine', () => {
    const verbs = ['start', 'stop', 'restart', 'scale', 'delete'] as const;
    const allowed = (found: Target) => verbs.filter(verb => manager.allows(verb, found)).join(' ');
    expect(allowed(local)).toBe('');
    expect(allowed(target('t'))).toBe('stop restart scale delete');
    expect(allowed(target('t', { state: 'stopped' }))).toBe('start scale delete');
    expect(allowed(target('t', { state: 'failed' }))).toBe('start stop scale delete');
    expect(allowed(target('t', { state: 'starting' }))).toBe('');
    expect(allowed(target('t', { kind: 'instance' }))).toBe('stop restart delete');
    // what is out of reach is meant to run
    expect(allowed(target('t', { state: 'unusable' }))).toBe('stop restart scale delete');
  });

  it('sends verbs, and leaves the list to the stream', async () => {
    await manager.create({ kind: 'cluster', name: 'train', max_nodes: 2 });
    await manager.hostKey('node-1');
    await manager.keepRunning('box');
    await manager.stop('train');
    await manager.scale('a b', { max_nodes: 3 });
    await manager.delete('train', true);
    expect(asked).toEqual([
      ['POST /perijove/api/compute', { kind: 'cluster', name: 'train', max_nodes: 2 }],
      ['POST /perijove/api/host-keys', { host: 'node-1', proxy_jump: null, identity_file: null }],
      ['POST /perijove/api/compute/box/keep-running', {}],
      ['POST /perijove/api/compute/train/stop', { force: false }],
      ['POST /perijove/api/compute/a%20b/scale', { max_nodes: 3 }],
      ['POST /perijove/api/compute/train/delete', { force: true }]
    ]);
    expect(changes).toBe(0);
  });
});

describe('the Running panel', () => {
  it('is told of the end of what was up before it listened', () => {
    const stream = fakeStream();
    const manager = new ComputeManager(ServerConnection.makeSettings(), stream as EventStream);
    stream.compute.emit([target('train')]);
    const changed = whenDifferent(manager.changed, () =>
      manager.targets.map(({ name, state }) => name + state).join()
    );
    let told = 0;
    changed.connect(() => told++);
    stream.compute.emit([target('train', { node_hours: 1 })]);
    expect(told).toBe(0);
    stream.compute.emit([]);
    expect(told).toBe(1);
  });
});

describe('states', () => {
  it.each([
    ['creating', true, false, 'running'],
    ['running', false, false, 'ok'],
    ['stopping', true, false, 'running'],
    ['stopped', false, true, 'waiting'],
    ['failed', false, true, 'error'],
    ['unusable', false, false, 'error']
  ] as const)('%s', (state, changing, off, colour) => {
    const found = target('t', { state });
    expect([isChanging(found), isOff(found), tone(found)]).toEqual([changing, off, colour]);
  });

  it('counts nodes, and slots of this machine', () => {
    const busy = { current_nodes: 2, busy_nodes: 1, target_nodes: 3 };
    expect(counts(target('t', busy))).toEqual({ busy: 1, idle: 1, coming: 1, free: 1 });
    expect(counts({ ...local, running_jobs: 1 })).toEqual({ busy: 1, idle: 1, coming: 0, free: 0 });
    expect(isManaged(local)).toBe(false);
  });

  it('says how a target is in few words', () => {
    expect(summary({ ...local, running_jobs: 1 }, trans)).toBe('2 slots · 1 busy');
    expect(summary(target('t'), trans)).toBe('no nodes up');
    const up = { current_nodes: 2, busy_nodes: 1, target_nodes: 2, node_hours: 0.125 };
    expect(summary(target('t', { ...up, queued_jobs: 3 }), trans)).toBe(
      '1 of 2 busy · 3 queued · 0.13 node-h'
    );
    expect(summary(target('t', { target_nodes: 2 }), trans)).toBe('0 of 2 up');
    expect(occupancy(target('t', { ...up, running_jobs: 1 }), trans)).toBe(
      'cluster, 3 of 4 slots free'
    );
    expect(occupancy(target('t', { state: 'stopped', queued_jobs: 1 }), trans)).toBe(
      'cluster, stopped, 1 queued'
    );
  });
});

describe('instances', () => {
  const box = (more: Partial<Target> = {}) =>
    target('box', { kind: 'instance', on: 'ssh', current_nodes: 1, target_nodes: 1, ...more });
  const now = Date.parse('2026-01-05T12:00:00Z');
  const stop = { shutdown_at: '2026-01-05T12:04:30Z', shutdown_reason: 'idle for 55 minutes' };

  it('say what runs on them, and what is being done to them', () => {
    expect(summary(box(), trans)).toBe('idle');
    expect(summary(box({ running_jobs: 2, properties: { kernels: [{}] } }), trans)).toBe(
      '2 jobs · 1 kernel'
    );
    const coming = { state: 'creating', properties: { step: 'Copying uv' } } as const;
    expect(summary(box(coming), trans)).toBe('creating · Copying uv');
    const lost = { state: 'unusable', message: 'No route to host.' } as const;
    expect(summary(box(lost), trans)).toBe('unusable · No route to host.');
    expect(tone(box({ current_nodes: 0 }))).toBe('ok');
  });

  it('say before they stop', () => {
    expect(stopNotice(box(), trans, now)).toBeNull();
    expect(stopNotice(box({ properties: stop }), trans, now)).toBe(
      'box stops in 5 minutes: idle for 55 minutes'
    );
    const due = Date.parse(stop.shutdown_at);
    expect(stopNotice(box({ properties: stop }), trans, due - 1)).toBe(
      'box stops in 1 minute: idle for 55 minutes'
    );
    expect(stopNotice(box({ properties: stop }), trans, due)).toBe(
      'box is due to stop: idle for 55 minutes'
    );
  });

  it('are announced once for every stop, until they were kept or have stopped', () => {
    const stream = fakeStream();
    const manager = new ComputeManager(ServerConnection.makeSettings(), stream as EventStream);
    const shown: string[] = [];
    const gone: string[] = [];
    const kept: string[] = [];
    const notifications = {
      notify: (text: string, _: string, options: any) => {
        options.actions[0].callback();
        return String(shown.push(text));
      },
      update: () => true,
      dismiss: (id?: string) => void gone.push(id!)
    };
    announceStops(manager, trans, async name => kept.push(name), notifications);
    const later = { ...stop, shutdown_at: '2026-01-05T19:00:00Z' };
    stream.compute.emit([local, box({ properties: stop })]);
    stream.compute.emit([local, box({ properties: stop })]);
    expect(shown).toHaveLength(1);
    expect(shown[0]).toMatch(/^box is due to stop/);
    expect(kept).toEqual(['box']);
    stream.compute.emit([local, box({ properties: {} })]);
    expect(gone).toEqual(['1']);
    stream.compute.emit([local, box({ properties: later })]);
    stream.compute.emit([local]);
    expect(gone).toEqual(['1', '2']);
  });
});

describe('figures of nodes', () => {
  it('are kept for some minutes, of nodes that are up', () => {
    const figures = new Figures();
    figures.take(
      [node('0', { cpu_percent: 50, memory_used: 10 }), node('1', { state: 'preparing' })],
      0
    );
    figures.take(
      [
        node('0', { cpu_percent: 100, memory_used: 20, state: 'running' }),
        node('1', { cpu_percent: 0, memory_used: 5 })
      ],
      1000
    );
    expect(figures.of('0').map(sample => sample.cpu)).toEqual([50, 100]);
    expect(figures.span).toBe(60000);
    expect(figures.of('1')).toHaveLength(1);
    expect(figures.totals[1]).toEqual({ at: 1000, up: 2, busy: 1, cpu: 50, memory: 25 });
    figures.take([node('1')], WINDOW + 500);
    expect(figures.of('0')).toEqual([]);
    expect(figures.totals.map(total => total.at)).toEqual([1000, WINDOW + 500]);
  });

  it('begin with what the hub knows, and again after nobody looked', () => {
    const figures = new Figures();
    expect(figures.isBehind(0)).toBe(true);
    const used = { id: '0', busy: true, cpu_percent: 50, memory_used: 10 };
    const past = [
      { age: 10, nodes: [] },
      { age: 5, nodes: [used, { ...used, id: '1', busy: false, cpu_percent: 0 }] }
    ];
    figures.begin(past, 20000);
    figures.take([node('0', { cpu_percent: 70, memory_used: 20 })], 21000);
    expect(figures.totals.map(({ at, up, busy, cpu }) => [at, up, busy, cpu])).toEqual([
      [10000, 0, 0, 0],
      [15000, 2, 1, 25],
      [21000, 1, 0, 70]
    ]);
    expect(figures.of('0').map(sample => [sample.at, sample.cpu])).toEqual([
      [15000, 50],
      [21000, 70]
    ]);
    expect(figures.isBehind(22000)).toBe(false);
    expect(figures.isBehind(60000)).toBe(true);
    figures.begin(past, 60000);
    expect(figures.totals.map(total => total.at)).toEqual([50000, 55000]);
  });
});

describe('the nodes of a target', () => {
  it('are asked for while it has some, and once when they come or are gone', async () => {
    jest.useFakeTimers();
    const stream = fakeStream();
    const manager = new ComputeManager(ServerConnection.makeSettings(), stream as EventStream);
    let asked = 0;
    let heard = 0;
    let isAway = false;
    manager.usage = async () => [];
    manager.nodes = async () => {
      asked++;
      if (isAway) {
        throw new Error('the hub is away');
      }
      return [];
    };
    const becomes = async (more: Partial<Target>[]) => {
      asked = 0;
      stream.compute.emit(more.map(one => target('box', one)));
      await jest.advanceTimersByTimeAsync(9000);
      return asked;
    };
    const end = follow(manager, 'box', new Figures(), () => heard++);
    expect(await becomes([{ state: 'stopped' }])).toBe(1);
    expect(heard).toBe(1);
    expect(await becomes([{ state: 'stopped', queued_jobs: 1 }])).toBe(0);
    expect(await becomes([{ target_nodes: 1 }])).toBe(5);
    expect(await becomes([{ target_nodes: 1, current_nodes: 1 }])).toBeGreaterThan(3);
    isAway = true;
    expect(await becomes([{ state: 'stopped' }])).toBe(5);
    isAway = false;
    await jest.advanceTimersByTimeAsync(2000);
    expect(await becomes([{ state: 'stopped' }])).toBe(0);
    expect(await becomes([])).toBe(0);
    await becomes([{ target_nodes: 1 }]);
    end();
    expect(await becomes([{ target_nodes: 1 }])).toBe(0);
    jest.useRealTimers();
  });
});

describe('sizes', () => {
  it.each([
    ['4GiB', 2 ** 32],
    ['500 MB', 5e8],
    ['1.5g', 1.5e9],
    ['1073741824', 2 ** 30],
    ['four', null],
    ['4 XB', null],
    ['', null]
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it('are written so that nothing is lost', () => {
    expect(sizeText(2 ** 32)).toBe('4 GiB');
    expect(sizeText(1.5e9)).toBe('1.4 GiB');
    expect(memoryText(2 ** 31, 2 ** 32)).toBe('2 / 4 GiB');
    expect(memoryText(2 ** 29, 2 ** 32)).toBe('512 MiB / 4 GiB');
    expect(memoryText(2 ** 29, 0)).toBe('512 MiB');
    expect([2 ** 32, 1.5e9, 12345].map(exactSize).map(parseSize)).toEqual([2 ** 32, 1.5e9, 12345]);
  });
});
