/** A list that MLflow has: read when it is looked at, again when it changed, and until it is there. */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type { TrackingChange } from './index';
import { EventStream } from './events';
import { asApiError, type ApiError } from './request';

/** Milliseconds between tries while MLflow is away. */
const PAUSE = { first: 2000, last: 15000 };

export abstract class Listing<T> implements IDisposable {
  /** `pause`: milliseconds from a change until the list is read again. */
  constructor(
    readonly settings: ServerConnection.ISettings,
    stream: EventStream,
    private _pause: number
  ) {
    stream.tracking.connect((_, change) => this.onTracking(change));
  }

  /** The list or the error changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get items(): readonly T[] {
    return this._items;
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

  /** Are those shown, too, that are put away: deleted or archived? */
  get showAll(): boolean {
    return this._showAll;
  }

  set showAll(value: boolean) {
    this._showAll = value;
    this._changed.emit();
    void this.refresh();
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
      this._later(this._pause);
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer);
      Signal.clearData(this);
    }
  }

  protected abstract ask(): Promise<readonly T[]>;

  protected abstract onTracking(change: TrackingChange): void;

  /** It was away, and answered again. */
  protected recovered(): void {
    // only who keeps more than the list has something to do
  }

  /** Show this until the list is read. */
  protected show(items: readonly T[]): void {
    this._items = items;
    this._changed.emit();
    this._later(this._pause);
  }

  /** The list changed. Until somebody looks at it there is nothing to keep up to date. */
  protected outdated(): void {
    if (this._ready || this._error) {
      this._later(this._pause);
    }
  }

  private async _read(): Promise<void> {
    try {
      this._items = await this.ask();
      if (this._error) {
        this.recovered();
      }
      this._error = null;
      this._ready = true;
      this._delay = PAUSE.first;
    } catch (error) {
      this._error = asApiError(error);
      this._later(this._delay);
      this._delay = Math.min(PAUSE.last, 2 * this._delay);
    }
    if (!this._disposed) {
      this._changed.emit();
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
  private _items: readonly T[] = [];
  private _reading: Promise<void> | null = null;
  private _ready = false;
  private _showAll = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
