import { ServerConnection } from '@jupyterlab/services';

import {
  EventStream,
  type ConnectionState,
  type Job,
  type JobEvent,
  type TrackingChange
} from '../api';

const JOB = '00000000-0000-4000-8000-000000000001';
const LAST = 4;
const REVISION = 7;

/** What the hub has to say to someone who has come so far. */
function news(query: URLSearchParams): string {
  const messages = [': keep-alive', 'event: status\ndata: {"state":"running"}'];
  if (Number(query.get('after')) < REVISION) {
    messages.push(`event: jobs\nid: ${REVISION}\ndata: [{"id":"${JOB}","revision":${REVISION}}]`);
  }
  for (const item of query.getAll('watch')) {
    const [id, seen] = item.split(':');
    for (let seq = Number(seen) + 1; seq <= LAST; seq++) {
      const data = { seq, job_id: id, type: 'log', data: { text: `épreuve ${seq}\n\n試験` } };
      messages.push(`event: job_event\ndata: ${JSON.stringify(data)}`);
    }
  }
  return messages.map(message => `${message}\n\n`).join('');
}

type Ending = 'stays open' | 'ends' | 'breaks';

/** The first `length` bytes of a text; the rest never comes. */
function sent(text: string, ending: Ending, signal: AbortSignal, length = Infinity): Response {
  const bytes = new TextEncoder().encode(text).slice(0, length);
  const body = new ReadableStream<Uint8Array>({
    start: async controller => {
      signal.addEventListener('abort', () => controller.error(signal.reason));
      // in two pieces, so that characters and messages are cut as well
      controller.enqueue(bytes.slice(0, bytes.length / 2));
      controller.enqueue(bytes.slice(bytes.length / 2));
      for (let turn = 0; turn < 3; turn++) {
        await turns();
      }
      if (ending === 'ends') {
        controller.close();
      } else if (ending === 'breaks') {
        controller.error(new TypeError('network error'));
      }
    }
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
}

const turns = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 0));

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 1000) {
      throw new Error(`never: ${condition}`);
    }
    await turns();
  }
}

type Answer = (query: URLSearchParams, signal: AbortSignal) => Response | Promise<Response>;

const everything: Answer = (query, signal) => sent(news(query), 'stays open', signal);
const refusal = (status: number): Answer => {
  return () => new Response('{"error": {}}', { status });
};

/** A stream, what it asked for and what it told. */
class Client {
  constructor(...answers: Answer[]) {
    const fetch = (request: Request): Promise<Response> => {
      if (request.signal.aborted) {
        return Promise.reject(request.signal.reason);
      }
      const url = new URL(request.url);
      expect(url.pathname).toBe('/base/perijove/events');
      this.asked.push(url.searchParams);
      const answer = answers[Math.min(this.asked.length, answers.length) - 1];
      return Promise.resolve(answer(url.searchParams, request.signal));
    };
    const settings = ServerConnection.makeSettings({
      baseUrl: 'http://localhost/base/',
      fetch: fetch as typeof globalThis.fetch
    });
    this.stream = new EventStream(settings);
    this.stream.events.connect((_, event: JobEvent) => this.seqs.push(event.seq));
    this.stream.jobs.connect((_, jobs: Job[]) => this.revisions.push(...jobs.map(j => j.revision)));
    this.stream.connection.connect((_, state) => this.states.push(state));
  }

  watched(request: number): string[] {
    return this.asked[request].getAll('watch');
  }

  readonly stream: EventStream;
  readonly asked: URLSearchParams[] = [];
  readonly seqs: number[] = [];
  readonly revisions: number[] = [];
  readonly states: ConnectionState[] = [];
}

describe('EventStream', () => {
  let pauses: number[];
  let asleep: boolean;
  let client: Client;

  beforeEach(() => {
    pauses = [];
    asleep = false;
    (globalThis as any).window = {
      setTimeout: (then: () => void, milliseconds: number) => {
        pauses.push(milliseconds);
        return asleep ? undefined : setTimeout(then, 0);
      },
      clearTimeout
    };
    jest.spyOn(Math, 'random').mockReturnValue(0);
  });

  afterEach(() => {
    client.stream.dispose();
    jest.restoreAllMocks();
    delete (globalThis as any).window;
  });

  it.each<Ending>(['ends', 'breaks'])(
    'tells everything once, wherever the connection %s',
    async ending => {
      const whole = new TextEncoder().encode(news(new URLSearchParams(`watch=${JOB}:0`))).length;
      const resumed = new Set<string>();
      for (let length = 0; length < whole + 3; length += 3) {
        let before = -1;
        client = new Client(
          (query, signal) => sent(news(query), ending, signal, length),
          (query, signal) => {
            before = client.seqs.length;
            return everything(query, signal);
          }
        );
        client.stream.watch(JOB);
        client.stream.start();
        await until(() => client.asked.length === 2 && client.seqs.length >= LAST);
        await turns();
        expect(client.seqs).toEqual([1, 2, 3, 4]);
        expect(client.revisions).toEqual([REVISION]);
        expect(client.watched(1)).toEqual([`${JOB}:${before}`]);
        resumed.add(`${client.asked[1].get('after')} ${before}`);
        client.stream.dispose();
      }
      // so the cuts were everywhere: before the jobs, and after each of the events
      expect([...resumed]).toEqual(['0 0', '7 0', '7 1', '7 2', '7 3', '7 4']);
    }
  );

  it('tells an event once, also when a server sends it again', async () => {
    const again: Answer = (_, signal) =>
      sent(news(new URLSearchParams(`watch=${JOB}:0`)), 'ends', signal);
    client = new Client(again, again, everything);
    client.stream.watch(JOB);
    client.stream.start();
    await until(() => client.asked.length === 3);
    expect(client.seqs).toEqual([1, 2, 3, 4]);
  });

  it('asks anew, from what it has seen, when another job is watched', async () => {
    const other = JOB.replace('1', '2');
    client = new Client(everything);
    client.stream.watch(JOB, 2);
    client.stream.start();
    await until(() => client.seqs.length === 2);
    client.stream.watch(JOB);
    client.stream.watch(other);
    client.stream.watch(other);
    await until(() => client.seqs.length === 6);
    expect(client.seqs).toEqual([3, 4, 1, 2, 3, 4]);
    expect(client.watched(1)).toEqual([`${JOB}:4`, `${other}:0`]);
    expect(client.asked).toHaveLength(2);
    expect(client.states).toEqual(['connecting', 'open', 'connecting', 'open']);
    expect(pauses).toEqual([]);
  });

  it('watches no more than the hub allows: those that were asked for last', async () => {
    const jobs = Array.from({ length: 60 }, (_, i) => JOB.slice(0, -2) + (10 + i));
    client = new Client(everything);
    jobs.forEach(job => client.stream.watch(job));
    client.stream.start();
    await until(() => client.seqs.length === 50 * LAST);
    expect(client.watched(0)).toEqual(jobs.slice(10).map(job => `${job}:0`));
    // one that is looked at again is told from where it was, in the place of the oldest
    client.stream.watch(jobs[59]);
    client.stream.watch(jobs[5]);
    await until(() => client.seqs.length === 51 * LAST);
    expect(client.watched(1)).toEqual([
      ...jobs.slice(11).map(job => `${job}:${LAST}`),
      `${jobs[5]}:0`
    ]);
    expect(client.asked).toHaveLength(2);
  });

  it('watches a job no more when all its events were told, also if it is asked for', async () => {
    const other = JOB.replace('1', '2');
    const recorded = (seq: number) =>
      `event: job_event\ndata: {"seq":${seq},"job_id":"${JOB}","type":"recorded","data":{}}\n\n`;
    client = new Client(
      (query, signal) => sent(news(query) + recorded(LAST + 1), 'stays open', signal),
      everything
    );
    client.stream.watch(JOB);
    client.stream.start();
    await until(() => client.seqs.length === LAST + 1);
    client.stream.watch(JOB);
    await turns();
    expect(client.asked).toHaveLength(1);
    client.stream.watch(other);
    await until(() => client.seqs.length === 2 * LAST + 1);
    expect(client.watched(1)).toEqual([`${other}:0`]);
    // a document that was closed and opened begins anew
    client.stream.unwatch(JOB);
    client.stream.watch(JOB);
    await until(() => client.asked.length === 3);
    expect(client.watched(2)).toEqual([`${other}:${LAST}`, `${JOB}:0`]);
  });

  it('tells no more of a job that is not watched any more', async () => {
    client = new Client((query, signal) => sent(news(query), 'ends', signal, 150), everything);
    client.stream.watch(JOB);
    client.stream.jobs.connect(() => client.stream.unwatch(JOB));
    client.stream.start();
    await until(() => client.asked.length === 2);
    await turns();
    expect(client.watched(1)).toEqual([]);
    expect(client.seqs).toEqual([]);
  });

  it.each([401, 403, 404, 500, 503])(
    'a server that answers %s is a broken connection, asked ever more seldom',
    async status => {
      client = new Client(refusal(status));
      client.stream.watch(JOB, 3);
      client.stream.start();
      await until(() => pauses.length === 8);
      expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
      expect(client.states.slice(0, 3)).toEqual(['connecting', 'broken', 'connecting']);
      expect(client.states).not.toContain('open');
      expect([client.seqs, client.revisions]).toEqual([[], []]);
      expect(client.watched(7)).toEqual([`${JOB}:3`]);
    }
  );

  it('a server that is away is a broken connection', async () => {
    client = new Client(() => Promise.reject(new TypeError('Failed to fetch')));
    asleep = true;
    client.stream.start();
    await until(() => pauses.length === 1);
    expect(client.states).toEqual(['connecting', 'broken']);
  });

  it('pauses a third longer at most, by chance, so that not all tabs ask at once', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999999);
    client = new Client(refusal(503));
    client.stream.start();
    await until(() => pauses.length === 7);
    expect(pauses.map(Math.round)).toEqual([667, 1333, 2667, 5333, 10667, 20000, 20000]);
  });

  it('pauses shortly again after it was connected', async () => {
    const short: Answer = (query, signal) => sent(news(query), 'breaks', signal);
    client = new Client(refusal(503), refusal(503), refusal(503), short, everything);
    client.stream.start();
    await until(() => client.asked.length === 5);
    expect(pauses).toEqual([500, 1000, 2000, 500]);
  });

  it.each<[string, (stream: EventStream) => void]>([
    ['retry', stream => stream.retry()],
    ['watch', stream => stream.watch(JOB)]
  ])('%s does not wait for the end of the pause', async (_, act) => {
    asleep = true;
    client = new Client(refusal(404), everything);
    client.stream.start();
    await until(() => pauses.length === 1);
    act(client.stream);
    await until(() => client.revisions.length === 1);
    expect(client.states).toEqual(['connecting', 'broken', 'connecting', 'open']);
  });

  it('asks and tells nothing after it was disposed', async () => {
    let signal: AbortSignal | undefined;
    client = new Client((query, given) => {
      signal = given;
      return everything(query, given);
    });
    client.stream.start();
    await until(() => client.revisions.length === 1);
    client.stream.dispose();
    client.stream.dispose();
    await turns();
    expect(signal?.aborted).toBe(true);
    expect(client.stream.isDisposed).toBe(true);
    expect(client.states).toEqual(['connecting', 'open']);
    expect([client.asked.length, pauses.length]).toEqual([1, 0]);
  });

  it('says that anything of MLflow may have changed while the connection was broken', async () => {
    const change = { experiments: ['1'], runs: ['a'], models: [], everything: false };
    const message = `event: tracking\ndata: ${JSON.stringify(change)}\n\n`;
    const told: TrackingChange[] = [];
    client = new Client(
      (_, signal) => sent(message, 'ends', signal),
      (_, signal) => sent('', 'stays open', signal)
    );
    client.stream.tracking.connect((_, changed) => told.push(changed));
    client.stream.start();
    await until(() => told.length > 1);
    expect(told).toEqual([change, { experiments: [], runs: [], models: [], everything: true }]);
  });
});
