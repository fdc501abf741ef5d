/** Which runs are chosen, and the one that the keyboard is at. */
import { ISignal, Signal } from '@lumino/signaling';

import type { RunTable } from './table';

export class Selection {
  /** What is chosen changed, or where the keyboard is. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get ids(): string[] {
    return [...this._ids];
  }

  get size(): number {
    return this._ids.size;
  }

  get active(): string | null {
    return this._active;
  }

  has(runId: string): boolean {
    return this._ids.has(runId);
  }

  activate(runId: string): void {
    if (this._active !== runId) {
      this._active = runId;
      this._changed.emit();
    }
  }

  toggle(runId: string): void {
    if (!this._ids.delete(runId)) {
      this._ids.add(runId);
    }
    this._anchor = runId;
    this._active = runId;
    this._changed.emit();
  }

  /** Choose everything between the run chosen last and this one, as far as it was fetched. */
  extend(runId: string, table: RunTable): void {
    const places = new Map<string, number>();
    for (let index = 0; index < table.length && places.size < 2; index++) {
      const line = table.line(index);
      if (line.kind === 'run' && [this._anchor, runId].includes(line.run.run_id)) {
        places.set(line.run.run_id, index);
      }
    }
    const [from, to] = [...places.values()].sort((a, b) => a - b);
    for (let index = from; index <= (to ?? from); index++) {
      const line = table.line(index);
      if (line.kind === 'run') {
        this._ids.add(line.run.run_id);
      }
    }
    this._active = runId;
    this._changed.emit();
  }

  set(runIds: Iterable<string>): void {
    this._ids = new Set(runIds);
    this._changed.emit();
  }

  clear(): void {
    this.set([]);
  }

  private _active: string | null = null;
  private _anchor: string | null = null;
  private _changed = new Signal<this, void>(this);
  private _ids = new Set<string>();
}
