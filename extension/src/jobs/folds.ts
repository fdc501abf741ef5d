/** Which groups of jobs are closed, also after a reload. */
import type { IStateDB } from '@jupyterlab/statedb';
import { ISignal, Signal } from '@lumino/signaling';

const KEY = 'perijove:closed-groups';

export class Folds {
  /** Without a state they are open after each reload. */
  constructor(private _state: IStateDB | null) {
    void _state?.fetch(KEY).then(kept => {
      if (Array.isArray(kept)) {
        this._closed = new Set(kept.map(String));
        this._changed.emit();
      }
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  isClosed(group: string): boolean {
    return this._closed.has(group);
  }

  toggle(group: string): void {
    if (!this._closed.delete(group)) {
      this._closed.add(group);
    }
    void this._state?.save(KEY, [...this._closed]);
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _closed = new Set<string>();
}
