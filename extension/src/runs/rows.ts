/** The lines of a table of runs, as far as they were fetched: in pages with nested runs below their
 * parents, or in groups. */
import type { RunPage, RunRow } from '../api';
import type { IColumn } from './columns';
import { group, Groups, type Line } from './groups';
import { Nested } from './nested';
import { PAGE, Pages, pagesOf } from './pages';

export class Rows {
  /** Runs there are, nested ones not counted where they stand below their parents. */
  get total(): number {
    return this._total;
  }

  /** Nested ones that stand below their parents. */
  get nested(): number {
    return this._left;
  }

  /** Runs that are in groups. */
  get grouped(): number {
    return this._grouped;
  }

  get running(): number {
    return this._running;
  }

  /** Does one of them have nested runs? */
  get hasParents(): boolean {
    return this._hasParents;
  }

  get isGrouped(): boolean {
    return this._groups.lines !== null;
  }

  /** All that were fetched, by their ids. */
  get known(): ReadonlyMap<string, RunRow> {
    return this._known;
  }

  /** The ids of the runs whose nested ones are shown. */
  get open(): readonly string[] {
    return this._nested.parents;
  }

  /** Lines there are, fetched or not. */
  get length(): number {
    return this._groups.lines?.length ?? this._total + this._nested.count;
  }

  line(index: number): Line {
    const { lines } = this._groups;
    if (lines) {
      return lines[index] ?? { kind: 'missing' };
    }
    const found = this._nested.at(index);
    if (typeof found !== 'number') {
      return found;
    }
    const run = this._pages.at(found);
    return run ? { kind: 'run', run, depth: 0 } : { kind: 'missing' };
  }

  isOpen(runId: string): boolean {
    return this._nested.has(runId);
  }

  /** The pages that hold these lines. */
  pages(first: number, last: number): number[] {
    // the lines of nested runs shift the pages: one of them more is named
    return pagesOf(first - this._nested.count, Math.min(last, this._total - 1));
  }

  isFresh(page: number): boolean {
    return this._pages.isFresh(page);
  }

  /** Something changed: only these pages were fetched since. */
  age(fresh: readonly number[]): void {
    this._pages.age(fresh);
  }

  clear(): void {
    this._pages.clear();
    this._nested.clear();
  }

  setPage(page: number, found: RunPage): void {
    this._groups.set(null);
    this._pages.set(page, found.runs);
    this._learn(found);
  }

  setGroups(found: RunPage, column: IColumn): void {
    this.clear();
    this._groups.set(group(found.runs, column));
    this._grouped = found.runs.length;
    this._learn(found);
  }

  toggleGroup(value: string | null): void {
    this._groups.toggle(value);
  }

  setNested(runId: string, runs: RunRow[]): void {
    this._nested.set(runId, runs);
    this._remember(runs);
  }

  /** Show its nested runs no more; were they shown? */
  close(runId: string): boolean {
    const wasOpen = this._nested.delete(runId);
    this._place();
    return wasOpen;
  }

  /** A hub that was started before it was updated counts no nested ones. */
  private _learn({ total, nested = 0, running, runs }: RunPage): void {
    this._total = total;
    this._left = nested;
    this._running = running;
    this._remember(runs);
  }

  private _remember(runs: readonly RunRow[]): void {
    runs.forEach(run => this._known.set(run.run_id, run));
    this._hasParents = this._hasParents || runs.some(run => run.children > 0);
    this._place();
  }

  private _place(): void {
    this._nested.place(this._pages.all, PAGE);
  }

  private _grouped = 0;
  private _groups = new Groups();
  private _hasParents = false;
  private _known = new Map<string, RunRow>();
  private _left = 0;
  private _nested = new Nested();
  private _pages = new Pages();
  private _running = 0;
  private _total = 0;
}
