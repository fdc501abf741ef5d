import { ServerConnection } from '@jupyterlab/services';

import type { HostedKernel } from '../api';
import { KernelFigures, PERIOD } from '../kernels/figures';
import { usage } from '../kernels/format';
import { instances, placeOf } from '../kernels/place';
import { isTold } from '../kernels/told';

const spec = (instance?: string): any => ({
  name: 'x',
  metadata: instance ? { perijove: { instance, environment: 'base' } } : {}
});
const kernel = (id: string, more: Partial<HostedKernel> = {}): HostedKernel =>
  ({ kernel_id: id, compute: 'box', state: 'running', connection: {}, ...more }) as HostedKernel;

describe('where a kernel runs', () => {
  it('is what its kernelspec says', () => {
    expect(placeOf(spec('box'))).toEqual({ instance: 'box', environment: 'base' });
    expect(placeOf(spec())).toBeNull();
    expect(placeOf(undefined)).toBeNull();
    const kernelspecs = { a: spec('box'), b: spec(), c: spec('box'), d: spec('ant') };
    expect(instances({ default: 'b', kernelspecs })).toEqual(['ant', 'box']);
    expect(instances(null)).toEqual([]);
  });

  it('is told by kernelspecs a moment after an instance is another one', () => {
    const told = (...states: [string, string][]): any => ({
      default: '',
      kernelspecs: Object.fromEntries(
        states.map(([instance, state]) => [
          `base@${instance}`,
          { metadata: { perijove: { instance, state } } }
        ])
      )
    });
    const target = (name: string, state: string, kind = 'instance'): any => ({ name, state, kind });
    const known = new Set(['local', 'box', 'gone']);
    const now = [target('local', 'running', 'local'), target('box', 'running')];
    expect(isTold(null, now, known)).toBe(false);
    expect(isTold(told(['box', 'stopped']), now, known)).toBe(false);
    expect(isTold(told(['box', 'running']), now, known)).toBe(true);
    expect(isTold(told(['box', 'running'], ['gone', 'running']), now, known)).toBe(false);
    // another workspace's, a cluster, and what is none yet
    expect(isTold(told(['box', 'running'], ['theirs', 'stopped']), now, known)).toBe(true);
    expect(isTold(null, [target('c', 'running', 'cluster')], known)).toBe(true);
    expect(isTold(null, [target('new', 'creating')], known)).toBe(true);
  });

  it('is shown with what is known', () => {
    expect(usage(undefined)).toEqual([]);
    const busy = kernel('k', { cpu_percent: 99.6, memory_used: 340 * 2 ** 20, gpus: ['0'] });
    expect(usage(busy)).toEqual(['100 %', '340 MiB', 'GPU 0']);
    expect(usage(kernel('k', { cpu_percent: 0, gpus: [] }))).toEqual(['0 %']);
  });
});

describe('KernelFigures', () => {
  const turn = () => jest.advanceTimersByTimeAsync(0);
  let asked: string[];
  let listed: HostedKernel[];
  let figures: KernelFigures;

  beforeEach(() => {
    jest.useFakeTimers();
    asked = [];
    listed = [kernel('k')];
    figures = new KernelFigures({
      ...ServerConnection.makeSettings({ baseUrl: 'http://here/' }),
      fetch: async (request: Request) => {
        asked.push(new URL(request.url).pathname);
        return new Response(JSON.stringify(listed));
      }
    } as any);
    Object.assign(globalThis, { window: globalThis, document: { hidden: false, cookie: '' } });
  });

  afterEach(() => {
    jest.useRealTimers();
    delete (globalThis as any).window;
    delete (globalThis as any).document;
  });

  it('asks while somebody looks, once for all who do', async () => {
    const first = figures.watch('box');
    const second = figures.watch('box');
    await turn();
    expect(asked).toEqual(['/perijove/api/compute/box/kernels']);
    expect(figures.get('k')).toBeDefined();
    first.dispose();
    first.dispose();
    await jest.advanceTimersByTimeAsync(PERIOD);
    expect(asked).toHaveLength(2);
    second.dispose();
    await jest.advanceTimersByTimeAsync(5 * PERIOD);
    expect(asked).toHaveLength(2);
  });

  it('forgets kernels that are gone', async () => {
    const watch = figures.watch('box');
    await turn();
    listed = [];
    await jest.advanceTimersByTimeAsync(PERIOD);
    expect(figures.get('k')).toBeUndefined();
    watch.dispose();
  });
});
