/** The registered models as MLflow last told them, and the verbs on them. */
import { ServerConnection } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

import {
  EventStream,
  Listing,
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

/** Milliseconds from a change until the list is read again. */
const PAUSE = 250;
/** Bytes of a file that are sent at once. */
const PIECE = 8 * 1024 * 1024;

/** Those changed last first; archived ones too while `showAll` is set. */
export class ModelManager extends Listing<RegisteredModel> {
  constructor(settings: ServerConnection.ISettings, stream: EventStream) {
    super(settings, stream, PAUSE);
  }

  /** A model of this name changed, or with null any may have. */
  get modelChanged(): ISignal<this, string | null> {
    return this._modelChanged;
  }

  get(name: string): RegisteredModel | undefined {
    return this.items.find(model => model.name === name);
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

  protected ask(): Promise<RegisteredModel[]> {
    return request(this.settings, `models?archived=${this.showAll}`);
  }

  protected recovered(): void {
    this._modelChanged.emit(null);
  }

  protected onTracking({ models = [], everything }: TrackingChange): void {
    if (everything) {
      this._modelChanged.emit(null);
    }
    models.forEach(name => this._modelChanged.emit(name));
    if (everything || models.length) {
      this.outdated();
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

  private _modelChanged = new Signal<this, string | null>(this);
}
