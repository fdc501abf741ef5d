/**
 * The pictures in a notebook's Markdown: attached to its cells, which the job's snapshot of the
 * notebook has, or files beside the notebook.
 */
import type { IAttachments, INotebookContent } from '@jupyterlab/nbformat';
import { IRenderMime, IRenderMimeRegistry, RenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Contents } from '@jupyterlab/services';

import type { JobManager } from './manager';

const ATTACHMENT = 'attachment:';
const SNAPSHOT = /^snapshot\/.*\.ipynb$/;

export class Pictures {
  /** `path`: the notebook's, among Jupyter's files. */
  constructor(
    private _jobId: string,
    path: string,
    private _manager: JobManager,
    private _rendermime: IRenderMimeRegistry,
    contents: Contents.IManager
  ) {
    this._beside = new RenderMimeRegistry.UrlResolver({ path, contents });
  }

  /** What renders the Markdown of a cell: the same each time. */
  of(cellId: string): IRenderMimeRegistry {
    const known = this._registries.get(cellId);
    if (known) {
      return known;
    }
    const beside = this._beside;
    const resolver: IRenderMime.IResolver = {
      isLocal: url => url.startsWith(ATTACHMENT) || beside.isLocal(url),
      resolveUrl: async url => (url.startsWith(ATTACHMENT) ? url : beside.resolveUrl(url)),
      getDownloadUrl: url =>
        url.startsWith(ATTACHMENT)
          ? this._attached(cellId, decodeURIComponent(url.slice(ATTACHMENT.length)))
          : beside.getDownloadUrl(url)
    };
    const made = this._rendermime.clone({ resolver });
    this._registries.set(cellId, made);
    return made;
  }

  /** The attachment as an address of its own. */
  private async _attached(cellId: string, name: string): Promise<string> {
    this._notebook ??= this._read();
    const cell = (await this._notebook).cells.find(({ id }) => id === cellId);
    const [[kind, data] = ['', '']] = Object.entries(
      (cell?.attachments as IAttachments | undefined)?.[name] ?? {}
    );
    return `data:${kind};base64,${String(data)}`;
  }

  private async _read(): Promise<INotebookContent> {
    const files = await this._manager.files(this._jobId);
    const snapshot = files.find(({ path }) => SNAPSHOT.test(path));
    const text = snapshot ? await this._manager.fileText(this._jobId, snapshot.path) : null;
    return text === null ? ({ cells: [] } as never) : (JSON.parse(text) as INotebookContent);
  }

  private _beside: RenderMimeRegistry.UrlResolver;
  private _notebook: Promise<INotebookContent> | null = null;
  private _registries = new Map<string, IRenderMimeRegistry>();
}
