/** The registered models as MLflow last told them, and the verbs on them. */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  ApiError,
  EventStream,
  request,
  routeUrl,
  type ArtifactPage,
  type ArtifactPreview,
  type Lineage,
  type ModelChange,
  type ModelFacts,
  type ModelUse,
  type ModelVersion,
  type NewVersion,
  type RegisteredModel,
  type TrackingChange
} from '../api';

/** Milliseconds: until the list is read after a change, and between tries while MLflow is away. */
const PAUSE = { again: 250, first: 2000, last: 15000 };
/** Bytes of a file that are sent at once. */
const PIECE = 8 * 1024 * 1024;

export class ModelManager implements IDisposable {
  constructor(
    readonly settings: ServerConnection.ISettings,
    stream: EventStream
  ) {
    stream.tracking.connect((_, change) => this._onTracking(change));
  }

  /** The list or the error changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A model of this name changed, or with null any may have. */
  get modelChanged(): ISignal<this, string | null> {
    return this._modelChanged;
  }

  /** Those changed last first. */
  get models(): readonly RegisteredModel[] {
    return this._models;
  }

  /** Why the list is as it was last; null: it is as MLflow has it. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Was the list read yet? */
  get isReady(): boolean {
    return this._ready;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  get showArchived(): boolean {
    return this._showArchived;
  }

  set showArchived(value: boolean) {
    this._showArchived = value;
    void this.refresh();
  }

  get(name: string): RegisteredModel | undefined {
    return this._models.find(model => model.name === name);
  }

  /** Read the list now, and again by itself until that succeeds. */
  async refresh(): Promise<void> {
    clearTimeout(this._timer);
    this._timer = undefined;
    if (this._reading) {
      this._again = true;
      return this._reading;
    }
    this._reading = this._read();
    await this._reading;
    this._reading = null;
    if (this._again) {
      this._again = false;
      this._later(PAUSE.again);
    }
  }

  /** One that may not be in the list. */
  read(name: string): Promise<RegisteredModel> {
    return this._get('model', { name });
  }

  versions(name: string): Promise<ModelVersion[]> {
    return this._get('model/versions', { name });
  }

  facts(name: string, version: string): Promise<ModelFacts> {
    return this._get('model/version/facts', { name, version });
  }

  lineage(name: string, version: string): Promise<Lineage> {
    return this._get('model/version/lineage', { name, version });
  }

  files(name: string, version: string, path: string): Promise<ArtifactPage> {
    return this._get('model/version/files', { name, version, path });
  }

  preview(name: string, version: string, path: string): Promise<ArtifactPreview> {
    return this._get('model/version/preview', { name, version, path });
  }

  /** What uses a model, or one of its versions. */
  uses(name: string, version?: string): Promise<ModelUse[]> {
    return this._get('model/uses', version === undefined ? { name } : { name, version });
  }

  /** Where the browser itself has a file of a version. */
  fileUrl(name: string, version: string, path: string, download: boolean): string {
    const query = { name, version, path, download: String(download) };
    return routeUrl(this.settings, 'model/version/file', query);
  }

  /** Where the browser itself has all files of a version. */
  downloadUrl(name: string, version: string): string {
    return routeUrl(this.settings, 'model/version/download', { name, version });
  }

  register(wish: NewVersion): Promise<ModelVersion> {
    return this._told(wish.name, this._send('POST', 'model/versions', {}, wish));
  }

  /** Bring files in; the id that a registration takes as `upload`. */
  async upload(
    files: readonly File[],
    progress: (done: number, total: number) => void = () => undefined
  ): Promise<string> {
    const total = files.reduce((sum, file) => sum + file.size, 0);
    let done = 0;
    let upload = '';
    for (const file of files) {
      const path = file.webkitRelativePath || file.name;
      let offset = 0;
      do {
        const piece = file.slice(offset, offset + PIECE);
        const query = new URLSearchParams({ path, offset: String(offset) });
        if (upload) {
          query.set('upload', upload);
        }
        // a body that is bytes; the one fetch passes it on as it is
        const init = { method: 'POST', body: piece as unknown as string };
        const made = await request<{ upload: string }>(
          this.settings,
          `model/uploads?${query}`,
          init
        );
        upload = made.upload;
        offset += piece.size;
        done += piece.size;
        progress(done, total);
      } while (offset < file.size);
    }
    return upload;
  }

  /** Point an alias at a version; `expected` is where it was seen, null: it was not there. */
  moveAlias(
    name: string,
    alias: string,
    version: string,
    reason: string | null,
    expected: string | null
  ): Promise<RegisteredModel> {
    const wish = { version, reason, expected };
    return this._told(name, this._send('PUT', 'model/alias', { name, alias }, wish));
  }

  removeAlias(name: string, alias: string, expected: string): Promise<RegisteredModel> {
    return this._told(name, this._send('DELETE', 'model/alias', { name, alias, expected }));
  }

  change(name: string, change: ModelChange): Promise<RegisteredModel> {
    return this._told(name, this._send('PATCH', 'model', { name }, change));
  }

  changeVersion(name: string, version: string, change: ModelChange): Promise<ModelVersion> {
    return this._told(name, this._send('PATCH', 'model/version', { name, version }, change));
  }

  /** `force` even if something uses it. */
  delete(name: string, version: string | undefined, force: boolean): Promise<unknown> {
    const query = { name, force: String(force) };
    return this._told(
      name,
      version === undefined
        ? this._send('POST', 'model/delete', query)
        : this._send('POST', 'model/version/delete', { ...query, version })
    );
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearTimeout(this._timer);
      Signal.clearData(this);
    }
  }

  private _get<T>(route: string, query: Record<string, string>): Promise<T> {
    return request<T>(this.settings, `${route}?${new URLSearchParams(query)}`);
  }

  private _send<T>(
    method: string,
    route: string,
    query: Record<string, string>,
    body?: unknown
  ): Promise<T> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    return request<T>(this.settings, `${route}?${new URLSearchParams(query)}`, init);
  }

  /** What we did is shown at once, not only when the stream tells of it. */
  private async _told<T>(name: string, answer: Promise<T>): Promise<T> {
    const told = await answer;
    this._modelChanged.emit(name);
    void this.refresh();
    return told;
  }

  private async _read(): Promise<void> {
    try {
      const query = `archived=${this._showArchived}`;
      this._models = await request<RegisteredModel[]>(this.settings, `models?${query}`);
      if (this._error) {
        this._modelChanged.emit(null);
      }
      this._error = null;
      this._ready = true;
      this._delay = PAUSE.first;
    } catch (error) {
      this._error =
        error instanceof ApiError ? error : new ApiError(0, 'error', (error as Error).message);
      this._later(this._delay);
      this._delay = Math.min(PAUSE.last, 2 * this._delay);
    }
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private _onTracking(change: TrackingChange): void {
    const { models = [], everything } = change;
    if (everything) {
      this._modelChanged.emit(null);
    }
    models.forEach(name => this._modelChanged.emit(name));
    // until somebody looks at the list there is nothing to keep up to date
    if ((everything || models.length) && (this._ready || this._error)) {
      this._later(PAUSE.again);
    }
  }

  private _later(milliseconds: number): void {
    if (this._timer === undefined && !this._disposed) {
      this._timer = setTimeout(() => void this.refresh(), milliseconds);
    }
  }

  private _again = false;
  private _changed = new Signal<this, void>(this);
  private _delay = PAUSE.first;
  private _disposed = false;
  private _error: ApiError | null = null;
  private _modelChanged = new Signal<this, string | null>(this);
  private _models: readonly RegisteredModel[] = [];
  private _reading: Promise<void> | null = null;
  private _ready = false;
  private _showArchived = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
