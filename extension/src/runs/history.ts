/** Histories of metrics of some runs, thinned by the hub; while runs go on, what comes is added. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { asApiError, type ApiError, type Series, type TrackingChange } from '../api';
import { concerns, RunManager } from './manager';

/** Milliseconds between two looks at runs that go on, and before another try. */
const PAUSE = { live: 800, retry: 3000 };

export interface IHistoryQuestion {
  runIds: readonly string[];
  /** null: all metrics. */
  keys: readonly string[] | null;
  maxPoints: number;
  axis: 'step' | 'time';
  /** Steps, or milliseconds since 1970; null: everything. */
  range: { min: number; max: number } | null;
}

export class History implements IDisposable {
  constructor(private _manager: RunManager) {
    _manager.changed.connect(this._onTracking, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get error(): ApiError | null {
    return this._error;
  }

  /** Is there no answer yet, or a newer one under way? */
  get isLoading(): boolean {
    return this._loading > 0 || !this._question;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Changes with the points. */
  get version(): number {
    return this._version;
  }

  /** Metrics that there are, in order. */
  get keys(): string[] {
    const keys = new Set<string>();
    for (const series of this._series.values()) {
      series.forEach((_, key) => keys.add(key));
    }
    return [...keys].sort();
  }

  get(runId: string, key: string): Series | undefined {
    return this._series.get(runId)?.get(key);
  }

  /** Ask for something; nothing happens if it is what was asked last. */
  ask(question: IHistoryQuestion): void {
    const asked = JSON.stringify(question);
    if (asked !== this._asked) {
      this._asked = asked;
      this._question = question;
      void this._read();
    }
  }

  /** Is it looked at? */
  set isShown(shown: boolean) {
    this._shown = shown;
    if (shown && this._outdated) {
      this._outdated = false;
      void this._more();
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer);
      Signal.clearData(this);
    }
  }

  private _onTracking(_: RunManager, change: TrackingChange): void {
    if (!this._question || !concerns(change, [], this._question.runIds)) {
      return;
    }
    if (!this._shown) {
      this._outdated = true;
    } else {
      this._later(PAUSE.live, () => this._more());
    }
  }

  /** All of it. */
  private async _read(): Promise<void> {
    const question = this._question!;
    if (!question.runIds.length || question.keys?.length === 0) {
      this._series = new Map();
      this._tell();
      return;
    }
    await this._guarded(question, async () => {
      const found = await this._manager.history(this._wish(question));
      if (question === this._question) {
        this._cursors = {};
        this._series = new Map(
          found.map(({ run_id, series, cursor }) => {
            this._cursors[run_id] = cursor;
            return [run_id, new Map(series.map(one => [one.key, one]))];
          })
        );
      }
    });
  }

  /** What came since. */
  private async _more(): Promise<void> {
    const question = this._question;
    if (!question || question.range || !Object.keys(this._cursors).length) {
      await this._read();
      return;
    }
    if (this._loading) {
      this._later(PAUSE.live, () => this._more());
      return;
    }
    let full = false;
    await this._guarded(question, async () => {
      const wish = { ...this._wish(question), after: this._cursors };
      for (const { run_id, series, cursor } of await this._manager.history(wish)) {
        if (question !== this._question) {
          return;
        }
        this._cursors[run_id] = cursor;
        const known = this._series.get(run_id) ?? new Map<string, Series>();
        this._series.set(run_id, known);
        for (const one of series) {
          const before = known.get(one.key);
          known.set(one.key, before ? joined(before, one) : one);
          full = full || known.get(one.key)!.steps.length > 3 * question.maxPoints;
        }
      }
    });
    if (full) {
      await this._read();
    }
  }

  private _wish(question: IHistoryQuestion) {
    return {
      run_ids: [...question.runIds],
      keys: question.keys && [...question.keys],
      max_points: question.maxPoints,
      axis: question.axis,
      start: question.range?.min ?? null,
      end: question.range?.max ?? null
    };
  }

  private async _guarded(question: IHistoryQuestion, act: () => Promise<void>): Promise<void> {
    this._loading++;
    this._changed.emit();
    try {
      await act();
      this._error = null;
    } catch (error) {
      if (question === this._question) {
        this._error = asApiError(error);
        if (this._error.isPassing) {
          this._later(PAUSE.retry, () => this._read());
        }
      }
    }
    this._loading--;
    this._tell();
  }

  private _later(milliseconds: number, act: () => Promise<void>): void {
    if (this._timer === undefined && !this._disposed) {
      this._timer = setTimeout(() => {
        this._timer = undefined;
        void act();
      }, milliseconds);
    }
  }

  private _tell(): void {
    this._version++;
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private _asked = '';
  private _changed = new Signal<this, void>(this);
  private _cursors: Record<string, string> = {};
  private _disposed = false;
  private _error: ApiError | null = null;
  private _loading = 0;
  private _outdated = false;
  private _question: IHistoryQuestion | null = null;
  private _series = new Map<string, Map<string, Series>>();
  private _shown = true;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _version = 0;
}

function joined(before: Series, after: Series): Series {
  return {
    key: before.key,
    points: before.points + after.points,
    steps: [...before.steps, ...after.steps],
    times: [...before.times, ...after.times],
    values: [...before.values, ...after.values]
  };
}
