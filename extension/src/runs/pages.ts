/** Runs as they were fetched: in pages, of which some may be older than what MLflow has now. */
import type { RunRow } from '../api';

/** Runs in a page. */
export const PAGE = 100;

export class Pages {
  /** By number, from 0. */
  get all(): ReadonlyMap<number, readonly RunRow[]> {
    return this._pages;
  }

  /** The run at a place; undefined: its page was not fetched yet. */
  at(index: number): RunRow | undefined {
    return this._pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  isFresh(page: number): boolean {
    return this._pages.has(page) && !this._stale.has(page);
  }

  set(page: number, runs: readonly RunRow[]): void {
    this._stale.delete(page);
    this._pages.set(page, runs);
  }

  /** Something changed: only these pages were fetched since. */
  age(fresh: readonly number[]): void {
    this._stale = new Set([...this._pages.keys()].filter(page => !fresh.includes(page)));
  }

  clear(): void {
    this._pages.clear();
    this._stale.clear();
  }

  private _pages = new Map<number, readonly RunRow[]>();
  private _stale = new Set<number>();
}

/** The numbers of the pages that hold these places. */
export function pagesOf(first: number, last: number): number[] {
  const from = Math.floor(Math.max(0, first) / PAGE);
  const to = Math.floor(Math.max(0, last) / PAGE);
  return Array.from({ length: Math.max(1, to - from + 1) }, (_, index) => from + index);
}
