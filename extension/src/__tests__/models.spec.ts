import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { ModelFacts, ModelVersion, RegisteredModel } from '../api';
import { setTracked } from '../kernels/tracked';
import { bestUri, columnText, differences, figure, loadCode, uriOf } from '../models/format';
import { ModelManager } from '../models/manager';

const model = (name: string, more: Partial<RegisteredModel> = {}): RegisteredModel => ({
  name,
  versions: 1,
  latest_version: '1',
  archived: false,
  ...more
});

const version = (number: string, more: Partial<ModelVersion> = {}): ModelVersion => ({
  name: 'churn',
  version: number,
  status: 'READY',
  archived: false,
  ...more
});

function fakeStream(): any {
  const stream: any = {};
  stream.tracking = new Signal<any, any>(stream);
  return stream;
}

describe('ModelManager', () => {
  let stream: any;
  let manager: ModelManager;
  let asked: [string, string, any][];
  let answer: (path: string) => [number, unknown];
  let changed: (string | null)[];

  beforeEach(() => {
    jest.useFakeTimers();
    stream = fakeStream();
    asked = [];
    changed = [];
    answer = () => [200, [model('churn')]];
    const settings = {
      ...ServerConnection.makeSettings({ baseUrl: 'http://here/' }),
      fetch: async (request: Request) => {
        const text = request.method === 'GET' ? '' : await request.text();
        const { pathname, search } = new URL(request.url);
        // JupyterLab's own mark against caches at the end is left out
        const query = search.replace(/[?&]\d{13}$/, '');
        asked.push([request.method, pathname.split('/api/')[1] + query, text]);
        const [status, body] = answer(pathname);
        return new Response(JSON.stringify(body), { status });
      }
    };
    manager = new ModelManager(settings as any, stream);
    manager.modelChanged.connect((_, name) => changed.push(name));
  });

  afterEach(() => {
    manager.dispose();
    jest.useRealTimers();
  });

  it('reads nothing until somebody looks', async () => {
    stream.tracking.emit({ models: ['churn'] });
    await jest.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual([]);
    expect(changed).toEqual(['churn']);
  });

  it('reads again after a change, many changes once', async () => {
    await manager.refresh();
    expect(manager.items.map(({ name }) => name)).toEqual(['churn']);
    stream.tracking.emit({ models: ['churn'] });
    stream.tracking.emit({ models: ['fraud'] });
    stream.tracking.emit({ runs: ['r'], models: [] });
    await jest.advanceTimersByTimeAsync(2000);
    expect(asked.length).toBe(2);
    expect(changed).toEqual(['churn', 'fraud']);
  });

  it('says that MLflow is away, keeps what it had, and recovers by itself', async () => {
    await manager.refresh();
    const error = { code: 'tracking_unreachable', message: 'away', field: null, remedy: 'wait' };
    answer = () => [503, { error }];
    await manager.refresh();
    expect(manager.error?.text).toBe('away wait');
    expect(manager.items.length).toBe(1);
    answer = () => [200, []];
    await jest.advanceTimersByTimeAsync(3000);
    expect(manager.error).toBeNull();
    expect(manager.items).toEqual([]);
    expect(changed).toEqual([null]); // documents look again, too
  });

  it('quotes names, and moves an alias from where it was seen', async () => {
    answer = () => [200, model('a&b?%2f')];
    await manager.moveAlias('a&b?%2f', 'champion', '2', 'why', '1');
    const [method, route, body] = asked[0];
    expect([method, route]).toEqual(['PUT', 'model/alias?name=a%26b%3F%252f&alias=champion']);
    expect(JSON.parse(body)).toEqual({ version: '2', reason: 'why', expected: '1' });
    expect(changed).toEqual(['a&b?%2f']);
  });

  it('sends files in pieces, an empty one too', async () => {
    answer = () => [200, { upload: 'u', files: [] }];
    const large = new File([new Uint8Array(9 * 1024 * 1024)], 'w.bin');
    const told: number[] = [];
    const made = await manager.upload([large, new File([], 'e.txt')], done => told.push(done));
    expect(made).toBe('u');
    expect(asked.map(([, route]) => route)).toEqual([
      'model/uploads?path=w.bin&offset=0',
      'model/uploads?path=w.bin&offset=8388608&upload=u',
      'model/uploads?path=e.txt&offset=0&upload=u'
    ]);
    expect(told).toEqual([8388608, 9437184, 9437184]);
  });
});

describe('Models in words', () => {
  it('has the code that loads them', () => {
    const facts = { flavors: { python_function: {}, sklearn: {} } } as ModelFacts;
    const churn = model('churn "x"', { aliases: [{ alias: 'new', version: '1' }] });
    expect(loadCode(bestUri(churn), facts)).toBe(
      'import mlflow\nimport perijove as pj\n\npj.Workspace().track()\n' +
        'model = mlflow.sklearn.load_model("models:/churn \\"x\\"@new")'
    );
    // MLflow of an instance's kernel is there already
    setTracked(() => true);
    expect(loadCode(bestUri(churn), facts)).toBe(
      'import mlflow\n\nmodel = mlflow.sklearn.load_model("models:/churn \\"x\\"@new")'
    );
    expect(loadCode(uriOf('m', { version: '3' }), null)).toContain(
      'pyfunc.load_model("models:/m/3")'
    );
    expect(loadCode('models:/m/3', { flavors: {} } as ModelFacts)).toContain('download_artifacts');
  });

  it('shows columns and figures', () => {
    expect(columnText({ name: 'a', type: 'double', required: false })).toBe('a?: double');
    expect(columnText({ type: 'float32', shape: [-1, 4], required: true })).toBe(
      '–: float32 (-1, 4)'
    );
    expect([1, 0.25, 'NaN' as const, undefined].map(figure)).toEqual(['1', '0.25', 'NaN', '–']);
    expect(figure(0.1234567)).toBe('0.12346');
    expect(figure(1.5e-9)).toBe('1.5e-9');
  });

  it('marks what differs and the highest', () => {
    const one = version('1', { metrics: { auc: 0.8, same: 1 }, params: { depth: '4' } });
    const two = version('2', { metrics: { auc: 'NaN', same: 1 }, params: { lr: '0.1' } });
    const three = version('3', { metrics: { auc: 0.9, same: 1, only: 2 } });
    const facts = { inputs: [{ name: 'age', type: 'long', required: true }] } as ModelFacts;
    const found = differences([one, two, three], [facts, null, null]);
    expect(found.map(line => `${line.group} ${line.key} ${line.cells} ${line.best}`)).toEqual([
      'metrics auc 0.8,NaN,0.9 2',
      'metrics only –,–,2 -1',
      'metrics same 1,1,1 -1',
      'params depth 4,–,– -1',
      'params lr –,0.1,– -1',
      'inputs age long,–,– -1'
    ]);
    expect(found.map(({ differs }) => differs)).toEqual([true, true, false, true, true, true]);
  });
});
