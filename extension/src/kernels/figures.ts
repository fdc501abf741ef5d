/** CPU, memory and GPUs of kernels on instances, as long as somebody looks at them. */
import { ServerConnection } from '@jupyterlab/services';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { request, type HostedKernel } from '../api';

/** Milliseconds between two looks. */
export const PERIOD = 5000;

export class KernelFigures {
  constructor(private _settings: ServerConnection.ISettings) {}

  /** New figures came. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The kernel as last heard; undefined: not yet, or its instance does not have it. */
  get(kernelId: string): HostedKernel | undefined {
    return this._kernels.get(kernelId);
  }

  /** Ask for the kernels of this instance, until the answer is disposed. */
  watch(instance: string): IDisposable {
    this._watched.set(instance, (this._watched.get(instance) ?? 0) + 1);
    if (this._watched.get(instance) === 1) {
      void this._ask(instance);
    }
    this._timer = this._timer || window.setInterval(() => this._tick(), PERIOD);
    return new DisposableDelegate(() => this._release(instance));
  }

  private _release(instance: string): void {
    const left = (this._watched.get(instance) ?? 1) - 1;
    if (left) {
      this._watched.set(instance, left);
      return;
    }
    this._watched.delete(instance);
    if (!this._watched.size) {
      window.clearInterval(this._timer);
      this._timer = 0;
    }
  }

  private _tick(): void {
    // nobody sees a hidden page
    if (!document.hidden) {
      this._watched.forEach((_, instance) => void this._ask(instance));
    }
  }

  private async _ask(instance: string): Promise<void> {
    let kernels: HostedKernel[] = [];
    try {
      const route = `compute/${encodeURIComponent(instance)}/kernels`;
      kernels = await request(this._settings, route);
    } catch {
      // it does not answer: what is shown is that nothing is known
    }
    for (const [id, kernel] of this._kernels) {
      if (kernel.compute === instance) {
        this._kernels.delete(id);
      }
    }
    kernels.forEach(kernel => this._kernels.set(kernel.kernel_id, kernel));
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _kernels = new Map<string, HostedKernel>();
  private _timer = 0;
  private _watched = new Map<string, number>();
}
