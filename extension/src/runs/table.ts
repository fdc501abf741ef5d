/**
 * The runs of a question, as far as somebody looked: pages are fetched when they are seen, and
 * what is shown stays until something newer is there. With groups all runs are fetched at once.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { ApiError, type RunRow, type RunSearch, type RunsView, type TrackingChange } from '../api';
import { defaultColumns, parseColumn, toNumber, valueOf, type IColumn } from './columns';
import { concerns, RunManager } from './manager';

/** Runs in a page; and those that grouping and selecting everything may concern. */
const PAGE = 100;
const ALL = 50_000;
/** Points of a small line, and runs that one request may ask for. */
const SPARK = { points: 40, runs: 50 };
/** Milliseconds. */
const PAUSE = { reload: 700, retry: 3000, spark: 120 };

export interface IGroup {
  value: string | null;
  runs: RunRow[];
  running: number;
}

export type Line =
  | { kind: 'run'; run: RunRow; depth: number }
  | { kind: 'group'; group: IGroup; open: boolean }
  | { kind: 'missing' };

/** What is asked, without the window of it. */
export type Query = Omit<RunsView, 'name'>;

export class RunTable implements IDisposable {
  constructor(
    readonly manager: RunManager,
    readonly experimentIds: readonly string[],
    query: Partial<Query> = {}
  ) {
    this._query = { filter: '', order_by: [], view: 'active', columns: null, ...query };
    manager.changed.connect(this._onTracking, this);
  }

  /** Something that is shown changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get query(): Query {
    return this._query;
  }

  get total(): number {
    return this._total;
  }

  get running(): number {
    return this._running;
  }

  get isReady(): boolean {
    return this._ready;
  }

  /** Is a newer answer under way? */
  get isLoading(): boolean {
    return this._loading > 0;
  }

  /** Why there is no newer answer: the filter was refused, or MLflow is away. */
  get error(): ApiError | null {
    return this._error;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Changes with everything that is shown. */
  get version(): number {
    return this._version;
  }

  /** The columns that are shown: those chosen, or what the first runs have. */
  get columns(): IColumn[] {
    const names = this._query.columns ?? this._defaults;
    return names.flatMap(name => parseColumn(name) ?? []);
  }

  /** The metric whose course is drawn in small: the one sorted by, or the first. */
  get sparkMetric(): string | null {
    const sorted = this.order && parseColumn(this.order.name);
    const metric =
      sorted?.kind === 'metrics' ? sorted : this.columns.find(({ kind }) => kind === 'metrics');
    return metric?.key ?? null;
  }

  /** What the runs are sorted by; null: newest first. */
  get order(): { name: string; descending: boolean } | null {
    const [, name, way] = /^(.*?)(?:\s+(ASC|DESC))?$/is.exec(this._query.order_by?.[0] ?? '') ?? [];
    const column = name ? parseColumn(name) : null;
    return column && { name: column.name, descending: way?.toUpperCase() === 'DESC' };
  }

  /** Are nested runs below their parents? In a list that is filtered or sorted each stands alone. */
  get isTree(): boolean {
    return !this._query.filter.trim() && !this.order && !this._query.group_by;
  }

  /** Lines there are, seen or not. */
  get length(): number {
    return this._groups ? this._lines.length : this._total + this._nested();
  }

  line(index: number): Line {
    if (this._groups) {
      return this._lines[index] ?? { kind: 'missing' };
    }
    let at = index;
    for (const { offset, lines } of this._expansions) {
      if (at <= offset) {
        break;
      }
      if (at <= offset + lines.length) {
        return lines[at - offset - 1];
      }
      at -= lines.length;
    }
    const run = this._pages.get(Math.floor(at / PAGE))?.[at % PAGE];
    return run ? { kind: 'run', run, depth: 0 } : { kind: 'missing' };
  }

  /** Ask something else. What is shown stays until the answer is there. */
  ask(change: Partial<Query>): Promise<void> {
    this._query = { ...this._query, ...change };
    const onlyLook = Object.keys(change).every(key => key === 'widths');
    if (onlyLook) {
      this._tell();
      return Promise.resolve();
    }
    if (this._query.columns && 'columns' in change) {
      this._tell();
    }
    return this.reload();
  }

  /** Sort by a column; again by the same one: the other way, then not. */
  sort(name: string): Promise<void> {
    const column = parseColumn(name);
    const { order } = this;
    const first = column?.kind === 'metrics' || column?.kind === 'attributes';
    let order_by: string[] = [`${name} ${first ? 'DESC' : 'ASC'}`];
    if (order?.name === name) {
      order_by = order.descending === first ? [`${name} ${first ? 'ASC' : 'DESC'}`] : [];
    }
    return this.ask({ order_by });
  }

  /** These lines are seen: fetch what is missing of them. */
  see(first: number, last: number): void {
    this._seen = [first, last];
    if (!this._groups && this._ready) {
      for (const page of this._pagesOf(first, last)) {
        if (!this._pages.has(page) || this._stale.has(page)) {
          void this._fetch(page, this._question);
        }
      }
    }
    clearTimeout(this._sparkTimer);
    this._sparkTimer = setTimeout(() => void this._fetchSparks(), PAUSE.spark);
  }

  /** Is it looked at? If not, changes are read when it is again. */
  set isShown(shown: boolean) {
    this._shown = shown;
    if (shown && this._outdated) {
      this._outdated = false;
      void this.reload();
    }
  }

  /** Ask anew. */
  reload(): Promise<void> {
    clearTimeout(this._timer);
    this._timer = undefined;
    const question = ++this._question;
    return this._query.group_by ? this._fetchGroups(question) : this._fetchSeen(question);
  }

  /** Everything of the question but its window. */
  search(more: Partial<RunSearch> = {}): RunSearch {
    const { filter, order_by, view, columns } = this._query;
    const needed = columns && [...columns, ...(this._query.group_by ? [this._query.group_by] : [])];
    return {
      experiment_ids: [...this.experimentIds],
      filter: filter.trim(),
      order_by: order_by ?? [],
      view,
      columns: needed && needed.filter(name => !name.startsWith('attributes.')),
      parents_only: this.isTree,
      ...more
    };
  }

  /** The ids of all runs of the question, in order. */
  async ids(): Promise<string[]> {
    const page = await this.manager.search(this.search({ columns: [], limit: ALL }));
    return page.runs.map(run => run.run_id);
  }

  /** A run that was fetched. */
  run(runId: string): RunRow | undefined {
    return this._byId.get(runId);
  }

  isOpen(runId: string): boolean {
    return this._children.has(runId);
  }

  /** Show the runs nested in it, or hide them. */
  async toggle(runId: string): Promise<void> {
    if (this._children.delete(runId)) {
      this._tell();
      return;
    }
    await this._fetchChildren(runId);
  }

  toggleGroup(value: string | null): void {
    const key = String(value);
    if (!this._closed.delete(key)) {
      this._closed.add(key);
    }
    this._flatten();
    this._tell();
  }

  /** The course of the metric, as far as it is known. */
  spark(runId: string): readonly number[] | undefined {
    return this._sparks.get(`${runId} ${this.sparkMetric}`)?.values;
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer);
      clearTimeout(this._sparkTimer);
      Signal.clearData(this);
    }
  }

  private _onTracking(_: RunManager, change: TrackingChange): void {
    if (!concerns(change, this.experimentIds, this._ids)) {
      return;
    }
    for (const id of change.everything ? [...this._ids] : (change.runs ?? [])) {
      const spark = this._sparks.get(`${id} ${this.sparkMetric}`);
      if (spark) {
        spark.stale = true;
      }
    }
    if (!this._shown) {
      this._outdated = true;
    } else if (this._timer === undefined) {
      this._timer = setTimeout(() => void this.reload(), PAUSE.reload);
    }
  }

  /** The pages that are seen, the rest when it is seen. */
  private async _fetchSeen(question: number): Promise<void> {
    const pages = this._ready && !this._groups ? this._pagesOf(...this._seen) : [0];
    const isNew = this._answered !== this._key();
    // what was sorted otherwise is looked at from its beginning
    const wanted = isNew ? [0] : pages;
    await Promise.all([
      ...wanted.map(page => this._fetch(page, question, wanted.length === 1)),
      ...(isNew ? [] : [...this._children.keys()].map(id => this._fetchChildren(id, true)))
    ]);
    if (question === this._question && wanted.length > 1) {
      this._stale = new Set([...this._pages.keys()].filter(page => !wanted.includes(page)));
    }
  }

  private async _fetch(page: number, question: number, alone = false): Promise<void> {
    const fetching = `${question} ${page}`;
    if (this._fetching.has(fetching)) {
      return;
    }
    this._fetching.add(fetching);
    const key = this._key();
    const isFirst = !this._query.columns && !this._defaults.length;
    const columns = this._query.columns ?? (isFirst ? null : this._defaults);
    await this._guarded(question, async () => {
      const found = await this.manager.search(
        this.search({
          columns: columns && columns.filter(name => !name.startsWith('attributes.')),
          offset: page * PAGE,
          limit: PAGE
        })
      );
      if (question !== this._question || this._disposed) {
        return;
      }
      if (isFirst && found.runs.length) {
        this._defaults = defaultColumns(found.runs);
      }
      if (this._answered !== key) {
        this._pages.clear();
        this._children.clear();
        this._stale.clear();
      } else if (alone) {
        this._stale = new Set([...this._pages.keys()].filter(known => known !== page));
      }
      this._answered = key;
      this._groups = null;
      this._stale.delete(page);
      this._pages.set(page, found.runs);
      this._total = found.total;
      this._running = found.running;
      this._learn(found.runs);
    });
    this._fetching.delete(fetching);
    this._tell();
  }

  private async _fetchGroups(question: number): Promise<void> {
    const column = parseColumn(this._query.group_by ?? '');
    const columns = [...this.columns.map(({ name }) => name), this._query.group_by ?? ''];
    await this._guarded(question, async () => {
      const found = await this.manager.search(
        this.search({
          columns: columns.filter(name => !name.startsWith('attributes.')),
          limit: ALL
        })
      );
      if (question !== this._question || this._disposed || !column) {
        return;
      }
      if (!this._defaults.length) {
        this._defaults = defaultColumns(found.runs.slice(0, PAGE));
      }
      this._groups = group(found.runs, column);
      this._answered = this._key();
      this._pages.clear();
      this._children.clear();
      this._total = found.total;
      this._running = found.running;
      this._learn(found.runs);
      this._flatten();
    });
    this._tell();
  }

  private async _fetchChildren(runId: string, again = false): Promise<void> {
    const columns = this._query.columns ?? this._defaults;
    try {
      const found = await this.manager.search(
        this.search({
          columns: columns.filter(name => !name.startsWith('attributes.')),
          parents_only: false,
          parent_run_id: runId,
          limit: 1000
        })
      );
      if (!again || this._children.has(runId)) {
        this._children.set(runId, found.runs);
        this._learn(found.runs);
      }
    } catch (error) {
      this._error = asApiError(error);
    }
    this._tell();
  }

  /** Do what an answer asks for; on a refusal keep what is shown, and try again if that may help. */
  private async _guarded(question: number, act: () => Promise<void>): Promise<void> {
    this._loading++;
    this._tell();
    try {
      await act();
      if (question === this._question) {
        this._error = null;
        this._ready = true;
      }
    } catch (error) {
      if (question === this._question && !this._disposed) {
        this._error = asApiError(error);
        const { status } = this._error;
        if ((status === 0 || status >= 500) && this._timer === undefined) {
          this._timer = setTimeout(() => void this.reload(), PAUSE.retry);
        }
      }
    }
    this._loading--;
  }

  private _learn(runs: RunRow[]): void {
    for (const run of runs) {
      this._byId.set(run.run_id, run);
      this._ids.add(run.run_id);
    }
  }

  private async _fetchSparks(): Promise<void> {
    const metric = this.sparkMetric;
    if (!metric || !this._shown || this._disposed) {
      return;
    }
    const wanted: string[] = [];
    for (let index = this._seen[0]; index <= this._seen[1]; index++) {
      const line = this.line(index);
      if (line.kind === 'run' && line.run.metrics?.[metric] !== undefined) {
        const spark = this._sparks.get(`${line.run.run_id} ${metric}`);
        if (!spark || spark.stale) {
          wanted.push(line.run.run_id);
        }
      }
    }
    if (!wanted.length) {
      return;
    }
    try {
      const found = await this.manager.history({
        run_ids: wanted.slice(0, SPARK.runs),
        keys: [metric],
        max_points: SPARK.points
      });
      for (const { run_id, series } of found) {
        const values = (series[0]?.values ?? []).map(toNumber).filter(Number.isFinite);
        this._sparks.set(`${run_id} ${metric}`, { values, stale: false });
      }
      this._tell();
    } catch {
      // the table is as good without them
    }
  }

  private _pagesOf(first: number, last: number): number[] {
    // the lines of nested runs shift the pages: one of them more is asked for
    const from = Math.max(0, Math.floor((first - this._nested()) / PAGE));
    const to = Math.floor(Math.min(last, Math.max(0, this._total - 1)) / PAGE);
    return Array.from({ length: Math.max(1, to - from + 1) }, (_, index) => from + index);
  }

  /** Lines of nested runs that are open. */
  private _nested(): number {
    return this._expansions.reduce((sum, { lines }) => sum + lines.length, 0);
  }

  /** What belongs between the lines of a page, and behind which of them. */
  private get _expansions(): { offset: number; lines: Line[] }[] {
    if (this._expanded?.version === this._version) {
      return this._expanded.list;
    }
    const list: { offset: number; lines: Line[] }[] = [];
    if (this._children.size) {
      for (const [page, runs] of [...this._pages].sort(([a], [b]) => a - b)) {
        runs.forEach((run, index) => {
          const lines = this._below(run.run_id, 1);
          if (lines.length) {
            list.push({ offset: page * PAGE + index, lines });
          }
        });
      }
    }
    this._expanded = { version: this._version, list };
    return list;
  }

  private _below(runId: string, depth: number): Line[] {
    return (this._children.get(runId) ?? []).flatMap(run => [
      { kind: 'run' as const, run, depth },
      ...this._below(run.run_id, depth + 1)
    ]);
  }

  private _flatten(): void {
    this._lines = (this._groups ?? []).flatMap((found): Line[] => {
      const open = !this._closed.has(String(found.value));
      const runs = open ? found.runs.map(run => ({ kind: 'run' as const, run, depth: 0 })) : [];
      return [{ kind: 'group', group: found, open }, ...runs];
    });
  }

  /** What makes two answers pages of one list. */
  private _key(): string {
    const { filter, order_by, view, group_by } = this._query;
    return JSON.stringify([filter.trim(), order_by, view, group_by]);
  }

  private _tell(): void {
    this._version++;
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private _answered: string | null = null;
  private _byId = new Map<string, RunRow>();
  private _changed = new Signal<this, void>(this);
  /** Nested runs of the parents that are open. */
  private _children = new Map<string, RunRow[]>();
  private _closed = new Set<string>();
  private _defaults: string[] = [];
  private _disposed = false;
  private _error: ApiError | null = null;
  private _expanded: { version: number; list: { offset: number; lines: Line[] }[] } | null = null;
  private _fetching = new Set<string>();
  private _groups: IGroup[] | null = null;
  private _ids = new Set<string>();
  private _lines: Line[] = [];
  private _loading = 0;
  private _outdated = false;
  private _pages = new Map<number, RunRow[]>();
  private _query: Query;
  private _question = 0;
  private _ready = false;
  private _running = 0;
  private _seen: [number, number] = [0, 0];
  private _shown = true;
  private _sparks = new Map<string, { values: number[]; stale: boolean }>();
  private _sparkTimer: ReturnType<typeof setTimeout> | undefined;
  /** Pages that were fetched before something changed. */
  private _stale = new Set<number>();
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _total = 0;
  private _version = 0;
}

/** Runs by their value in a column: numbers in order, then texts, then those without. */
export function group(runs: readonly RunRow[], column: IColumn): IGroup[] {
  const groups = new Map<string | null, IGroup>();
  for (const run of runs) {
    const found = valueOf(run, column);
    const value = found === null ? null : String(found);
    const known = groups.get(value) ?? { value, runs: [], running: 0 };
    known.runs.push(run);
    known.running += run.status === 'RUNNING' ? 1 : 0;
    groups.set(value, known);
  }
  return [...groups.values()].sort((a, b) =>
    a.value === null ? 1 : b.value === null ? -1 : byValue(a.value, b.value)
  );
}

function byValue(a: string, b: string): number {
  const [x, y] = [toNumber(a), toNumber(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? (a < b ? -1 : 1) : x - y;
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, 'error', (error as Error).message);
}
