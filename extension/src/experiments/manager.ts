/** The experiments as MLflow last told them, and the verbs on them. */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  ApiError,
  EventStream,
  request,
  type Experiment,
  type ExperimentChange,
  type RunColumn,
  type RunsView,
  type TrackingChange
} from '../api';

/** Milliseconds: between two readings, and between tries while MLflow is away. */
const PAUSE = { again: 1000, first: 2000, last: 15000 };

export class ExperimentManager implements IDisposable {
  constructor(
    readonly settings: ServerConnection.ISettings,
    stream: EventStream
  ) {
    stream.tracking.connect((_, change) => this._onTracking(change));
  }

  /** The list or the error changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Those used last first; deleted ones too while `showDeleted` is set. */
  get experiments(): readonly Experiment[] {
    return this._experiments;
  }

  /** Why the list is as it was last; null: it is as MLflow has it. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Was the list read yet? */
  get isReady(): boolean {
    return this._ready;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  get showDeleted(): boolean {
    return this._showDeleted;
  }

  set showDeleted(value: boolean) {
    this._showDeleted = value;
    this._changed.emit();
    void this.refresh();
  }

  get(experimentId: string): Experiment | undefined {
    return this._experiments.find(({ id }) => id === experimentId);
  }

  /** Read the list now, and again by itself until that succeeds. */
  async refresh(): Promise<void> {
    clearTimeout(this._timer);
    this._timer = undefined;
    if (this._reading) {
      this._again = true;
      return this._reading;
    }
    this._reading = this._read();
    await this._reading;
    this._reading = null;
    if (this._again) {
      this._again = false;
      this._later(PAUSE.again);
    }
  }

  create(name: string, description?: string): Promise<Experiment> {
    return this._told(
      this._send('POST', 'experiments', { name, description: description || null })
    );
  }

  change(experimentId: string, change: ExperimentChange): Promise<Experiment> {
    return this._told(this._send('PATCH', `experiments/${experimentId}`, change));
  }

  delete(experimentId: string): Promise<Experiment> {
    return this._told(this._send('POST', `experiments/${experimentId}/delete`, {}));
  }

  restore(experimentId: string): Promise<Experiment> {
    return this._told(this._send('POST', `experiments/${experimentId}/restore`, {}));
  }

  /** One that may not be in the list. */
  read(experimentId: string): Promise<Experiment> {
    return request(this.settings, `experiments/${experimentId}`);
  }

  columns(experimentIds: string[]): Promise<RunColumn[]> {
    const query = new URLSearchParams(experimentIds.map(id => ['experiment_id', id]));
    return request(this.settings, `experiments/columns?${query}`);
  }

  views(experimentId: string): Promise<RunsView[]> {
    return request(this.settings, `experiments/${experimentId}/views`);
  }

  saveView(experimentId: string, view: RunsView): Promise<RunsView[]> {
    return this._send('POST', `experiments/${experimentId}/views`, view);
  }

  deleteView(experimentId: string, name: string): Promise<RunsView[]> {
    const query = new URLSearchParams({ name });
    return this._send('POST', `experiments/${experimentId}/views/delete?${query}`, {});
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer);
      Signal.clearData(this);
    }
  }

  private _send<T>(method: string, route: string, body: unknown): Promise<T> {
    return request<T>(this.settings, route, { method, body: JSON.stringify(body) });
  }

  /** What was answered is shown at once; the stream brings the rest. */
  private async _told(answer: Promise<Experiment>): Promise<Experiment> {
    const told = await answer;
    const others = this._experiments.filter(({ id }) => id !== told.id);
    const isShown = this._showDeleted || told.lifecycle_stage === 'active';
    this._experiments = isShown ? [told, ...others] : others;
    this._changed.emit();
    this._later(PAUSE.again);
    return told;
  }

  private async _read(): Promise<void> {
    try {
      const view = this._showDeleted ? 'all' : 'active';
      this._experiments = await request<Experiment[]>(this.settings, `experiments?view=${view}`);
      this._error = null;
      this._ready = true;
      this._delay = PAUSE.first;
    } catch (error) {
      this._error =
        error instanceof ApiError ? error : new ApiError(0, 'error', (error as Error).message);
      this._later(this._delay);
      this._delay = Math.min(PAUSE.last, 2 * this._delay);
    }
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private _onTracking(change: TrackingChange): void {
    const { experiments = [], runs = [], everything } = change;
    // until somebody looks at the list there is nothing to keep up to date
    if ((everything || experiments.length || runs.length) && (this._ready || this._error)) {
      this._later(PAUSE.again);
    }
  }

  private _later(milliseconds: number): void {
    if (this._timer === undefined && !this._disposed) {
      this._timer = setTimeout(() => void this.refresh(), milliseconds);
    }
  }

  private _again = false;
  private _changed = new Signal<this, void>(this);
  private _delay = PAUSE.first;
  private _disposed = false;
  private _error: ApiError | null = null;
  private _experiments: readonly Experiment[] = [];
  private _reading: Promise<void> | null = null;
  private _ready = false;
  private _showDeleted = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
