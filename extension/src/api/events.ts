/**
 * The one stream. It says which jobs changed, what happened in the jobs that are watched, how the
 * compute targets are, what changed in MLflow and how the hub is. It is resumed where it broke: jobs by
 * revision, events by number; of MLflow it says then that anything may have changed.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { createParser } from 'eventsource-parser';

import type { HubStatus, Job, JobEvent, Target, TrackingChange } from './index';

export type ConnectionState = 'connecting' | 'open' | 'broken';

/** Milliseconds between tries: doubled up to the last, with up to a third more by chance. */
const BACK_OFF = { first: 500, last: 15000 };

/** Jobs the hub lets one stream watch; of more, those asked for last are watched. */
const WATCHES = 50;

interface IWatch {
  /** The last event that was told. */
  seq: number;
  /** Was the last event there will be told? */
  complete: boolean;
}

export class EventStream implements IDisposable {
  constructor(private _settings: ServerConnection.ISettings) {}

  readonly jobs: ISignal<this, Job[]> = new Signal<this, Job[]>(this);
  readonly events: ISignal<this, JobEvent> = new Signal<this, JobEvent>(this);
  readonly compute: ISignal<this, Target[]> = new Signal<this, Target[]>(this);
  readonly tracking: ISignal<this, TrackingChange> = new Signal<this, TrackingChange>(this);
  readonly status: ISignal<this, HubStatus> = new Signal<this, HubStatus>(this);
  readonly connection: ISignal<this, ConnectionState> = new Signal<this, ConnectionState>(this);

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Connect, and stay connected until disposed. */
  start(): void {
    void this._run();
  }

  /**
   * Also tell of the job's events with numbers above `after`, until all were told. To ask again
   * for a job goes on where it was, and puts it before those that were asked for earlier.
   */
  watch(jobId: string, after = 0): void {
    const watch = this._watched.get(jobId) ?? { seq: after, complete: false };
    this._watched.delete(jobId);
    this._watched.set(jobId, watch);
    if (!watch.complete && !this._asked.has(jobId)) {
      this._asked.add(jobId); // so that asking twice in a row connects once
      this._reconnect();
    }
  }

  /** Tell no more of the job's events. */
  unwatch(jobId: string): void {
    this._watched.delete(jobId);
    this._asked.delete(jobId);
  }

  /** Try again at once. */
  retry(): void {
    this._reconnect();
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._abort?.abort();
      Signal.clearData(this);
    }
  }

  private _reconnect(): void {
    this._wake?.();
    this._abort?.abort();
  }

  private async _run(): Promise<void> {
    let delay = BACK_OFF.first;
    while (!this._disposed) {
      this._say('connecting');
      const abort = (this._abort = new AbortController());
      try {
        await this._read(abort, () => {
          delay = BACK_OFF.first;
          this._say('open');
        });
      } catch {
        // what broke it does not matter: it is resumed where it was
      }
      if (this._disposed || abort.signal.aborted) {
        continue;
      }
      this._say('broken');
      await this._sleep(delay * (1 + Math.random() / 3));
      delay = Math.min(BACK_OFF.last, delay * 2);
    }
  }

  private async _read(abort: AbortController, opened: () => void): Promise<void> {
    const query = new URLSearchParams([['after', String(this._revision)]]);
    const watches = [...this._watched].filter(([, watch]) => !watch.complete).slice(-WATCHES);
    this._asked = new Set(watches.map(([jobId]) => jobId));
    for (const [jobId, { seq }] of watches) {
      query.append('watch', `${jobId}:${seq}`);
    }
    const url = URLExt.join(this._settings.baseUrl, 'perijove', 'events');
    const response = await ServerConnection.makeRequest(
      `${url}?${query}`,
      { signal: abort.signal, headers: { Accept: 'text/event-stream' } },
      this._settings
    );
    if (!response.ok || !response.body) {
      throw new Error(String(response.status));
    }
    opened();
    if (this._wasOpen) {
      const nothing = { experiments: [], runs: [], models: [] };
      this._emit(this.tracking, { ...nothing, everything: true });
    }
    this._wasOpen = true;
    const parser = createParser({
      onEvent: message => this._handle(message.event ?? '', message.data, message.id)
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      parser.feed(value);
    }
  }

  private _handle(event: string, data: string, id?: string): void {
    if (event === 'jobs') {
      this._revision = Number(id);
      this._emit(this.jobs, JSON.parse(data) as Job[]);
    } else if (event === 'compute') {
      this._emit(this.compute, JSON.parse(data) as Target[]);
    } else if (event === 'tracking') {
      this._emit(this.tracking, JSON.parse(data) as TrackingChange);
    } else if (event === 'status') {
      this._emit(this.status, JSON.parse(data) as HubStatus);
    } else if (event === 'job_event') {
      const told = JSON.parse(data) as JobEvent;
      const watch = this._watched.get(told.job_id);
      if (watch && told.seq > watch.seq) {
        watch.seq = told.seq;
        // a job is recorded when it is over and everything else was said
        watch.complete = told.type === 'recorded';
        this._emit(this.events, told);
      }
    }
  }

  private _say(state: ConnectionState): void {
    if (state !== this._state) {
      this._state = state;
      this._emit(this.connection, state);
    }
  }

  private _emit<T>(signal: ISignal<this, T>, args: T): void {
    (signal as Signal<this, T>).emit(args);
  }

  private _sleep(milliseconds: number): Promise<void> {
    return new Promise(resolve => {
      const timer = window.setTimeout(resolve, milliseconds);
      this._wake = () => {
        window.clearTimeout(timer);
        resolve();
      };
    });
  }

  private _abort: AbortController | null = null;
  /** The jobs that the connection was asked to watch. */
  private _asked = new Set<string>();
  private _disposed = false;
  private _revision = 0;
  private _state: ConnectionState | null = null;
  private _wake: (() => void) | null = null;
  /** Was there a connection before? What was told between it and the next one is not known. */
  private _wasOpen = false;
  /** In the order in which they were asked for. */
  private _watched = new Map<string, IWatch>();
}
