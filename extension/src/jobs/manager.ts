/** The jobs of the workspace as the server last told them, and the verbs on them. */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  EventStream,
  request,
  type ConnectionState,
  type Environment,
  type Experiment,
  type HubStatus,
  type Job,
  type JobDefinition,
  type JobEvent,
  type JobFile,
  type MetricPoint,
  type NotebookInspection,
  type PruneReport
} from '../api';
import { requestText } from '../api/request';

const TERMINAL = new Set(['succeeded', 'failed', 'canceled']);

/** Is the job over? */
export function isOver(job: Job): boolean {
  return TERMINAL.has(job.state);
}

export class JobManager implements IDisposable {
  constructor(
    readonly settings: ServerConnection.ISettings,
    stream?: EventStream
  ) {
    this._stream = stream ?? new EventStream(settings);
    this._stream.jobs.connect((_, jobs) => this._take(jobs));
    this._stream.events.connect((_, event) => this._event.emit(event));
    this._stream.status.connect((_, status) => {
      this._status = status;
      this._changed.emit();
    });
    this._stream.connection.connect((_, state) => {
      this._connection = state;
      this._changed.emit();
    });
  }

  /** Something of the list, the status or the connection changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Something happened in a watched job. */
  get event(): ISignal<this, JobEvent> {
    return this._event;
  }

  /** A job that was seen active has ended. */
  get ended(): ISignal<this, Job> {
    return this._ended;
  }

  get status(): HubStatus | null {
    return this._status;
  }

  get connection(): ConnectionState {
    return this._connection;
  }

  /** Has the server told its jobs yet? */
  get isReady(): boolean {
    return this._ready;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Newest first; the same array until something changes. */
  get jobs(): readonly Job[] {
    if (!this._sorted) {
      this._sorted = [...this._jobs.values()].sort((a, b) =>
        a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : a.id < b.id ? 1 : -1
      );
    }
    return this._sorted;
  }

  get active(): Job[] {
    return this.jobs.filter(job => !isOver(job));
  }

  start(): void {
    this._stream.start();
  }

  retry(): void {
    this._stream.retry();
  }

  get(jobId: string): Job | undefined {
    return this._jobs.get(jobId);
  }

  /** Tell of the job's events until `unwatch`; `event` carries them. To be asked again for a job
   * that is looked at again: only so many are watched at a time. */
  watch(jobId: string): void {
    this._stream.watch(jobId);
  }

  unwatch(jobId: string): void {
    this._stream.unwatch(jobId);
  }

  async submit(definition: JobDefinition): Promise<Job> {
    return this._added(await this._post<Job>('jobs', { ...definition, id: uuid() }));
  }

  async rerun(jobId: string, parameters?: Record<string, unknown>): Promise<Job> {
    const body = { id: uuid(), parameters: parameters ?? null };
    return this._added(await this._post<Job>(`jobs/${jobId}/rerun`, body));
  }

  async cancel(jobId: string): Promise<void> {
    this._take([await this._post<Job>(`jobs/${jobId}/cancel`, {})]);
  }

  async delete(jobId: string): Promise<PruneReport> {
    return request(this.settings, `jobs/${jobId}`, { method: 'DELETE' });
  }

  inspect(path: string): Promise<NotebookInspection> {
    return this._post('notebooks/inspect', { path });
  }

  saveDefinition(definition: JobDefinition): Promise<{ path: string }> {
    return this._post('definitions', definition);
  }

  environments(): Promise<Environment[]> {
    return request(this.settings, 'environments');
  }

  environment(name: string): Promise<Environment> {
    return request(this.settings, `environments/${encodeURIComponent(name)}`);
  }

  /** What the build of an environment has said so far. */
  buildLog(name: string): Promise<string> {
    return requestText(this.settings, `environments/${encodeURIComponent(name)}/logs`);
  }

  experiments(): Promise<Experiment[]> {
    return request(this.settings, 'experiments');
  }

  files(jobId: string): Promise<JobFile[]> {
    return request(this.settings, `jobs/${jobId}/files`);
  }

  fileText(jobId: string, path: string): Promise<string> {
    return requestText(
      this.settings,
      `jobs/${jobId}/files/${path.split('/').map(encodeURIComponent).join('/')}`
    );
  }

  metrics(jobId: string): Promise<Record<string, MetricPoint[]>> {
    return request(this.settings, `jobs/${jobId}/metrics`);
  }

  /** Where the job's run is in MLflow's own pages. */
  async runLink(jobId: string): Promise<string> {
    return (await request<{ url: string }>(this.settings, `jobs/${jobId}/run-link`)).url;
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._stream.dispose();
      Signal.clearData(this);
    }
  }

  private _post<T>(route: string, body: unknown): Promise<T> {
    return request<T>(this.settings, route, {
      method: 'POST',
      body: JSON.stringify(body)
    });
  }

  private _added(job: Job): Job {
    this._take([job], false);
    return job;
  }

  /** Revisions decide: an answer that was overtaken by the stream changes nothing. */
  private _take(jobs: Job[], fromStream = true): void {
    let different = fromStream && !this._ready;
    this._ready = this._ready || fromStream;
    for (const job of jobs) {
      const known = this._jobs.get(job.id);
      if (known && known.revision >= job.revision) {
        continue;
      }
      different = true;
      if (job.deleted) {
        this._jobs.delete(job.id);
      } else {
        this._jobs.set(job.id, job);
        if (known && !isOver(known) && isOver(job)) {
          this._ended.emit(job);
        }
      }
    }
    if (different) {
      this._sorted = null;
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _connection: ConnectionState = 'connecting';
  private _disposed = false;
  private _ended = new Signal<this, Job>(this);
  private _event = new Signal<this, JobEvent>(this);
  private _jobs = new Map<string, Job>();
  private _ready = false;
  private _sorted: Job[] | null = null;
  private _status: HubStatus | null = null;
  private _stream: EventStream;
}

/** A random UUID, also where the page is not a secure context. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
