/** A list that MLflow has: read when it is looked at, again when it changed, and until it is there. */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type { TrackingChange } from './index';
import { EventStream } from './events';
import { Reading } from './reading';
import type { ApiError } from './request';

export abstract class Listing<T> implements IDisposable {
  /** `pause`: milliseconds from a change until the list is read again. */
  constructor(
    readonly settings: ServerConnection.ISettings,
    stream: EventStream,
    private _pause: number
  ) {
    stream.tracking.connect((_, change) => this.onTracking(change));
    this._reading = new Reading(
      () => this.ask(),
      items => {
        const wasAway = this._error !== null;
        this._items = items;
        this._error = null;
        this._ready = true;
        if (wasAway) {
          this.recovered();
        }
        this._changed.emit();
      },
      error => {
        this._error = error;
        this._changed.emit();
      }
    );
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
    return this._reading.isDisposed;
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

  /** Read the list now, and again by itself until something answers. */
  refresh(): Promise<void> {
    return this._reading.now();
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._reading.dispose();
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
    this._reading.later(this._pause);
  }

  /** The list changed. Until somebody looks at it there is nothing to keep up to date. */
  protected outdated(): void {
    if (this._ready || this._error) {
      this._reading.later(this._pause);
    }
  }

  private _changed = new Signal<this, void>(this);
  private _error: ApiError | null = null;
  private _items: readonly T[] = [];
  private _reading: Reading<readonly T[]>;
  private _ready = false;
  private _showAll = false;
}
