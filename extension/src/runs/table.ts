/**
 * The runs of a question, as far as somebody looked: pages are fetched when they are seen, and
 * what is shown stays until something newer is there. With groups all runs are fetched at once.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  asApiError,
  type ApiError,
  type RunPage,
  type RunRow,
  type RunSearch,
  type TrackingChange
} from '../api';
import { defaultColumns, parseColumn, type IColumn } from './columns';
import type { Line } from './groups';
import { concerns, RunManager } from './manager';
import { PAGE } from './pages';
import {
  isTree,
  keyOf,
  looked,
  orderOf,
  searchOf,
  sortedBy,
  type IOrder,
  type Query
} from './question';
import { Rows } from './rows';
import { Sparks } from './sparks';

/** Runs that grouping and selecting everything may concern: what one answer brings. */
const ALL = 50_000;
/** Milliseconds. */
const PAUSE = { reload: 700, retry: 3000 };

export class RunTable implements IDisposable {
  constructor(
    readonly manager: RunManager,
    readonly experimentIds: readonly string[],
    query: Partial<Query> = {}
  ) {
    this._query = { filter: '', order_by: [], view: 'active', columns: null, ...query };
    this._sparks = new Sparks(manager, () => this._tell());
    manager.changed.connect(this._onTracking, this);
  }

  /** Something that is shown changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What is asked changed, or how it is looked at. */
  get queryChanged(): ISignal<this, void> {
    return this._queryChanged;
  }

  get query(): Query {
    return this._query;
  }

  /** Runs that the question is true of, those nested below others too. */
  get total(): number {
    return this._rows.total + this._rows.nested;
  }

  /** Of these, how many stand below their parents. */
  get nested(): number {
    return this._rows.nested;
  }

  /** How many of them are in groups, where they are too many for that; else null. */
  get cut(): number | null {
    const { isGrouped, grouped, total } = this._rows;
    return isGrouped && grouped < total ? grouped : null;
  }

  get running(): number {
    return this._rows.running;
  }

  get isReady(): boolean {
    return this._ready;
  }

  /** Is what is shown the answer to what is asked, and not to what was asked before? */
  get isAnswered(): boolean {
    return this._answered === keyOf(this._query);
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

  /** The metric whose course is drawn in small: the one sorted by, or the first that has one. */
  get sparkMetric(): string | null {
    const sorted = this.order && parseColumn(this.order.name);
    if (sorted?.kind === 'metrics') {
      return sorted.key;
    }
    const keys = this.columns.flatMap(({ kind, key }) => (kind === 'metrics' ? [key] : []));
    return keys.find(key => !this._sparks.isFlat(key)) ?? keys[0] ?? null;
  }

  /** What the runs are sorted by; null: newest first. */
  get order(): IOrder | null {
    return orderOf(this._query);
  }

  /** Are nested runs below their parents, and are there some? */
  get isTree(): boolean {
    return isTree(this._query) && this._rows.hasParents;
  }

  /** The runs that were fetched, by their ids. */
  get known(): ReadonlyMap<string, RunRow> {
    return this._rows.known;
  }

  /** Lines there are, seen or not. */
  get length(): number {
    return this._rows.length;
  }

  line(index: number): Line {
    return this._rows.line(index);
  }

  /** Ask something else. What is shown stays until the answer is there. */
  ask(change: Partial<Query>): Promise<void> {
    this._query = { ...this._query, ...change };
    this._queryChanged.emit();
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
    return this.ask({ order_by: sortedBy(this._query, name) });
  }

  /** These lines are seen: fetch what is missing of them. */
  see(first: number, last: number): void {
    this._seen = [first, last];
    // what was refused would be again; what is away is asked again in time
    if (!this._rows.isGrouped && this._ready && !this._error) {
      for (const page of this._rows.pages(first, last)) {
        if (!this._rows.isFresh(page)) {
          void this._fetch(page, this._question);
        }
      }
    }
    this._sparks.see(this.sparkMetric, () => this._measured());
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
    return { ...searchOf(this._query, this.experimentIds), ...more };
  }

  /** All runs of the question, nested ones too, as far as one answer brings them. */
  all(): Promise<RunPage> {
    return this.manager.search(this.search({ columns: [], parents_only: false, limit: ALL }));
  }

  /** A run that was fetched. */
  run(runId: string): RunRow | undefined {
    return this._rows.known.get(runId);
  }

  isOpen(runId: string): boolean {
    return this._rows.isOpen(runId);
  }

  /** Show the runs nested in it, or hide them. */
  async toggle(runId: string): Promise<void> {
    if (this._rows.close(runId)) {
      this._tell();
      return;
    }
    await this._fetchChildren(runId);
  }

  toggleGroup(value: string | null): void {
    this._rows.toggleGroup(value);
    this._tell();
  }

  /** The course of the metric, as far as it is known. */
  spark(runId: string): readonly number[] | undefined {
    return this._sparks.get(runId, this.sparkMetric);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer);
      this._sparks.dispose();
      Signal.clearData(this);
    }
  }

  private _onTracking(_: RunManager, change: TrackingChange): void {
    const { known } = this._rows;
    if (!concerns(change, this.experimentIds, known)) {
      return;
    }
    const changed = change.everything ? known.keys() : (change.runs ?? []);
    this._sparks.age(changed, this.sparkMetric);
    if (!this._shown) {
      this._outdated = true;
    } else if (this._timer === undefined) {
      this._timer = setTimeout(() => void this.reload(), PAUSE.reload);
    }
  }

  /** The pages that are seen, the rest when it is seen. */
  private async _fetchSeen(question: number): Promise<void> {
    const isNew = this._answered !== keyOf(this._query);
    // what was sorted otherwise is looked at from its beginning
    const wanted = isNew || !this._ready ? [0] : this._rows.pages(...this._seen);
    await Promise.all([
      ...wanted.map(page => this._fetch(page, question, wanted.length === 1)),
      ...(isNew ? [] : this._rows.open.map(id => this._fetchChildren(id, true)))
    ]);
    if (question === this._question && wanted.length > 1) {
      this._rows.age(wanted);
    }
  }

  private async _fetch(page: number, question: number, alone = false): Promise<void> {
    const fetching = `${question} ${page}`;
    if (this._fetching.has(fetching)) {
      return;
    }
    this._fetching.add(fetching);
    const key = keyOf(this._query);
    const isFirst = !this._query.columns && !this._defaults.length;
    const columns = this._query.columns ?? (isFirst ? null : this._defaults);
    await this._guarded(question, async () => {
      const found = await this.manager.search(
        this.search({
          columns: columns && looked(columns),
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
        this._rows.clear();
      } else if (alone) {
        this._rows.age([page]);
      }
      this._answered = key;
      this._rows.setPage(page, found);
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
          columns: looked(columns),
          limit: ALL
        })
      );
      if (question !== this._question || this._disposed || !column) {
        return;
      }
      if (!this._defaults.length) {
        this._defaults = defaultColumns(found.runs.slice(0, PAGE));
      }
      this._rows.setGroups(found, column);
      this._answered = keyOf(this._query);
    });
    this._tell();
  }

  private async _fetchChildren(runId: string, again = false): Promise<void> {
    const columns = this._query.columns ?? this._defaults;
    try {
      const found = await this.manager.search(
        this.search({
          columns: looked(columns),
          parents_only: false,
          parent_run_id: runId,
          limit: 1000
        })
      );
      if (!again || this._rows.isOpen(runId)) {
        this._rows.setNested(runId, found.runs);
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
        if (this._error.isPassing && this._timer === undefined) {
          this._timer = setTimeout(() => void this.reload(), PAUSE.retry);
        }
      }
    }
    this._loading--;
  }

  /** The runs in view that have the metric. */
  private _measured(): string[] {
    const metric = this.sparkMetric;
    const runs: string[] = [];
    for (let index = this._seen[0]; index <= this._seen[1] && this._shown; index++) {
      const line = this.line(index);
      if (line.kind === 'run' && metric !== null && line.run.metrics?.[metric] !== undefined) {
        runs.push(line.run.run_id);
      }
    }
    return runs;
  }

  private _tell(): void {
    this._version++;
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private _answered: string | null = null;
  private _changed = new Signal<this, void>(this);
  private _defaults: string[] = [];
  private _disposed = false;
  private _error: ApiError | null = null;
  private _fetching = new Set<string>();
  private _loading = 0;
  private _outdated = false;
  private _query: Query;
  private _queryChanged = new Signal<this, void>(this);
  private _question = 0;
  private _ready = false;
  private _rows = new Rows();
  private _seen: [number, number] = [0, 0];
  private _shown = true;
  private _sparks: Sparks;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _version = 0;
}
