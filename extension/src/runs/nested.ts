/** The nested runs of parents that are open, and where their lines stand between the others. */
import type { RunRow } from '../api';
import type { Line } from './groups';

export class Nested {
  /** Lines there are. */
  get count(): number {
    return this._places.reduce((sum, { lines }) => sum + lines.length, 0);
  }

  /** The ids of runs that are open. */
  get parents(): string[] {
    return [...this._children.keys()];
  }

  has(runId: string): boolean {
    return this._children.has(runId);
  }

  set(runId: string, children: RunRow[]): void {
    this._children.set(runId, children);
  }

  delete(runId: string): boolean {
    return this._children.delete(runId);
  }

  clear(): void {
    this._children.clear();
  }

  /** Stand behind these runs, which are given by the page they are on. */
  place(pages: ReadonlyMap<number, readonly RunRow[]>, size: number): void {
    this._places = [];
    if (!this._children.size) {
      return;
    }
    for (const [page, runs] of [...pages].sort(([a], [b]) => a - b)) {
      runs.forEach((run, index) => {
        const lines = this._below(run.run_id, 1);
        if (lines.length) {
          this._places.push({ offset: page * size + index, lines });
        }
      });
    }
  }

  /** The line at an index of the table; a number: it is that of the runs that are not nested. */
  at(index: number): Line | number {
    let at = index;
    for (const { offset, lines } of this._places) {
      if (at <= offset) {
        break;
      }
      if (at <= offset + lines.length) {
        return lines[at - offset - 1];
      }
      at -= lines.length;
    }
    return at;
  }

  private _below(runId: string, depth: number): Line[] {
    return (this._children.get(runId) ?? []).flatMap(run => [
      { kind: 'run' as const, run, depth },
      ...this._below(run.run_id, depth + 1)
    ]);
  }

  private _children = new Map<string, RunRow[]>();
  private _places: { offset: number; lines: Line[] }[] = [];
}
