/** The verbs on runs, and which runs changed. Runs are many: nothing of them is kept here. */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  EventStream,
  request,
  requestBlob,
  routeUrl,
  type ArtifactPage,
  type ArtifactPreview,
  type HistoryWish,
  type Lineage,
  type NotebookDiff,
  type Run,
  type RunChange,
  type RunPage,
  type RunRow,
  type RunSearch,
  type RunSeries,
  type TrackingChange
} from '../api';

export class RunManager implements IDisposable {
  constructor(
    readonly settings: ServerConnection.ISettings,
    stream: EventStream
  ) {
    stream.tracking.connect((_, change) => this._changed.emit(change));
  }

  /** Something changed in MLflow. */
  get changed(): ISignal<this, TrackingChange> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  search(question: RunSearch, signal?: AbortSignal): Promise<RunPage> {
    return this._post('runs/search', question, signal);
  }

  csv(question: RunSearch): Promise<Blob> {
    return requestBlob(this.settings, 'runs/csv', {
      method: 'POST',
      body: JSON.stringify(question)
    });
  }

  history(wish: HistoryWish): Promise<RunSeries[]> {
    return this._post('runs/history', wish);
  }

  /** Some runs, wherever they are; those that are not there are left out. */
  async rows(runIds: readonly string[]): Promise<RunRow[]> {
    const question = { run_ids: [...runIds], view: 'all' as const, limit: runIds.length };
    return (await this.search(question)).runs;
  }

  get(runId: string): Promise<Run> {
    return request(this.settings, `runs/${runId}`);
  }

  change(runId: string, change: RunChange): Promise<Run> {
    const body = JSON.stringify(change);
    return this._saying(
      [runId],
      request(this.settings, `runs/${runId}`, { method: 'PATCH', body })
    );
  }

  delete(runIds: string[]): Promise<unknown> {
    return this._saying(runIds, this._post('runs/delete', { run_ids: runIds }));
  }

  restore(runIds: string[]): Promise<unknown> {
    return this._saying(runIds, this._post('runs/restore', { run_ids: runIds }));
  }

  lineage(runId: string): Promise<Lineage> {
    return request(this.settings, `runs/${runId}/lineage`);
  }

  artifacts(runId: string, path: string, page?: string): Promise<ArtifactPage> {
    const query = new URLSearchParams({ path, ...(page ? { page } : {}) });
    return request(this.settings, `runs/${runId}/artifacts?${query}`);
  }

  preview(runId: string, path: string): Promise<ArtifactPreview> {
    const query = new URLSearchParams({ path });
    return request(this.settings, `runs/${runId}/artifacts/preview?${query}`);
  }

  /** Where the browser itself has an artifact. */
  fileUrl(runId: string, path: string, download: boolean): string {
    const query = { path, ...(download ? { download: 'true' } : {}) };
    return routeUrl(this.settings, `runs/${runId}/artifacts/file`, query);
  }

  notebookDiff(left: string, right: string): Promise<NotebookDiff> {
    return request(this.settings, `runs/notebook-diff?${new URLSearchParams({ left, right })}`);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      Signal.clearData(this);
    }
  }

  private _post<T>(route: string, body: unknown, signal?: AbortSignal): Promise<T> {
    const init = { method: 'POST', body: JSON.stringify(body), signal };
    return request<T>(this.settings, route, init);
  }

  /** What was changed here is shown at once, before the stream tells of it. */
  private async _saying<T>(runs: string[], answer: Promise<T>): Promise<T> {
    const told = await answer;
    this._changed.emit({ experiments: [], runs, models: [], everything: false });
    return told;
  }

  private _changed = new Signal<this, TrackingChange>(this);
  private _disposed = false;
}

/** Does a change concern these experiments or runs? */
export function concerns(
  change: TrackingChange,
  experimentIds: readonly string[],
  runs: readonly string[] | ReadonlyMap<string, unknown>
): boolean {
  const isRun = (id: string) => ('has' in runs ? runs.has(id) : runs.includes(id));
  return (
    change.everything ||
    (change.experiments ?? []).some(id => experimentIds.includes(id)) ||
    (change.runs ?? []).some(isRun)
  );
}
