import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { EventStream, Job } from '../api';
import { JobManager } from '../jobs/manager';

function fakeStream(): any {
  const stream: any = { start: jest.fn(), dispose: jest.fn() };
  for (const name of ['jobs', 'events', 'status', 'connection']) {
    stream[name] = new Signal<any, any>(stream);
  }
  return stream;
}

const job = (id: string, revision: number, state = 'running', more: object = {}): Job =>
  ({ id, revision, state, created_at: `2026-01-01T00:00:0${revision}Z`, ...more }) as Job;

describe('JobManager', () => {
  let stream: any;
  let manager: JobManager;
  let changes: number;

  beforeEach(() => {
    stream = fakeStream();
    manager = new JobManager({} as ServerConnection.ISettings, stream as EventStream);
    changes = 0;
    manager.changed.connect(() => changes++);
  });

  it('is ready after the first message, also an empty one', () => {
    expect(manager.isReady).toBe(false);
    stream.jobs.emit([]);
    expect(manager.isReady).toBe(true);
    expect(changes).toBe(1);
  });

  it('lists the newest first and drops what was overtaken', () => {
    stream.jobs.emit([job('a', 1), job('b', 2)]);
    expect(manager.jobs.map(j => j.id)).toEqual(['b', 'a']);
    const before = manager.jobs;
    stream.jobs.emit([job('a', 1, 'failed')]);
    expect(manager.jobs).toBe(before);
    expect(manager.get('a')?.state).toBe('running');
    expect(changes).toBe(1);
  });

  it('says once that a job has ended', () => {
    const ended: string[] = [];
    manager.ended.connect((_, j) => ended.push(j.id));
    stream.jobs.emit([job('a', 1), job('old', 2, 'failed')]);
    stream.jobs.emit([job('a', 3, 'succeeded')]);
    stream.jobs.emit([job('a', 4, 'succeeded')]);
    expect(ended).toEqual(['a']);
  });

  it('forgets deleted jobs', () => {
    stream.jobs.emit([job('a', 1)]);
    stream.jobs.emit([job('a', 2, 'succeeded', { deleted: true })]);
    expect(manager.jobs).toEqual([]);
  });
});
