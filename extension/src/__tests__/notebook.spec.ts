import type { JobEvent } from '../api';
import { NotebookModel } from '../jobs/notebook';

let seq = 0;
function event(type: string, data: Record<string, unknown>, attempt = 1): JobEvent {
  seq += 1;
  const time = '2026-01-01T00:00:00Z';
  return { seq, job_id: 'j', attempt, time, type, data, spool_seq: null } as unknown as JobEvent;
}

function begun(): NotebookModel {
  seq = 0;
  const model = new NotebookModel();
  const cells = [0, 1].map(index => ({
    index,
    id: `c${index}`,
    cell_type: 'code',
    source: 'x',
    metadata: {}
  }));
  model.apply(event('attempt', { attempt: 1, warm: true }));
  model.apply(event('notebook', { cells, metadata: {}, total: 2 }));
  return model;
}

const stream = (text: string) => ({ output_type: 'stream', name: 'stdout', text });

describe('NotebookModel', () => {
  it('joins the pieces of a stream', () => {
    const model = begun();
    model.apply(event('cell_started', { index: 0 }));
    model.apply(event('output', { index: 0, output: stream('a') }));
    model.apply(event('output', { index: 0, output: stream('b') }));
    expect(model.cells[0].outputs).toEqual([stream('ab')]);
    expect(model.log).toBe('ab');
    expect(model.current?.index).toBe(0);
  });

  it('applies an event once', () => {
    const model = begun();
    const output = event('output', { index: 0, output: stream('a') });
    expect(model.apply(output)).toEqual([0]);
    expect(model.apply(output)).toEqual([]);
    expect(model.cells[0].outputs).toHaveLength(1);
  });

  it('begins anew with a new attempt', () => {
    const model = begun();
    model.apply(event('cell_finished', { index: 0, status: 'ok', duration: 1 }));
    model.apply(event('attempt', { attempt: 2, warm: false }, 2));
    expect(model.cells).toEqual([]);
    expect(model.attempt).toBe(2);
  });

  it('updates and clears displays', () => {
    const model = begun();
    const output = { output_type: 'display_data', data: { 'text/plain': '1' }, metadata: {} };
    model.apply(event('output', { index: 1, output, display_id: 'd' }));
    model.apply(event('output_updated', { display_id: 'd', data: { 'text/plain': '2' } }));
    expect(model.cells[1].outputs[0].data).toEqual({ 'text/plain': '2' });
    model.apply(event('output_cleared', { index: 1 }));
    expect(model.cells[1].outputs).toEqual([]);
  });

  it('ends the cell that ran when the job ended', () => {
    const model = begun();
    model.apply(event('cell_started', { index: 0 }));
    model.apply(event('state', { state: 'failed' }));
    expect(model.cells[0].state).toBe('error');
  });

  it('keeps metric points in order, each once', () => {
    const model = begun();
    model.addPoint('auc', 0.2, 2, 20);
    model.addPoint('auc', 0.1, 1, 10);
    model.addPoint('auc', 0.2, 2, 20);
    model.addPoint('auc', 'NaN', 3, 30);
    expect(model.metrics.get('auc')!.map(point => point.step)).toEqual([1, 2, 3]);
  });
});
