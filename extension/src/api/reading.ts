/** A question that is asked again by itself while nothing answers. */
import { IDisposable } from '@lumino/disposable';

import { asApiError, type ApiError } from './request';

/** Milliseconds before another try. */
const RETRY = 3000;

export class Reading<T> implements IDisposable {
  /** `take` has every answer, `refuse` every refusal, but not once it is disposed. */
  constructor(
    private readonly _ask: () => Promise<T>,
    private readonly _take: (answer: T) => void,
    private readonly _refuse: (error: ApiError) => void
  ) {}

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Ask now. What is under way may answer with what was before: then it is asked once more. */
  now(): Promise<void> {
    clearTimeout(this._timer);
    this._timer = undefined;
    this._again = true;
    this._asking ??= this._repeat();
    return this._asking;
  }

  /** Ask in so many milliseconds, unless it is to be asked by itself already. */
  later(milliseconds: number): void {
    if (this._timer === undefined && !this._disposed) {
      this._timer = setTimeout(() => void this.now(), milliseconds);
    }
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
  }

  private async _repeat(): Promise<void> {
    while (this._again && !this._disposed) {
      this._again = false;
      await this._once();
    }
    this._asking = null;
  }

  private async _once(): Promise<void> {
    let answer: T;
    try {
      answer = await this._ask();
    } catch (reason) {
      const error = asApiError(reason);
      if (!this._disposed) {
        this._refuse(error);
        if (error.isPassing) {
          this.later(RETRY);
        }
      }
      return;
    }
    if (!this._disposed) {
      this._take(answer);
    }
  }

  private _again = false;
  private _asking: Promise<void> | null = null;
  private _disposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
