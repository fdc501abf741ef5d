/** A widget as the kernel draws it; where no kernel knows it, as it was last. */
import { ISessionContext } from '@jupyterlab/apputils';
import { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Panel, Widget } from '@lumino/widgets';

import { HTML, WIDGET } from './tokens';

/** Milliseconds that a widget of the kernel has until the last look of it is shown. */
const PATIENCE = 500;

export class ViewOutput extends Panel implements IRenderMime.IRenderer {
  constructor(
    private readonly _rendermime: IRenderMimeRegistry,
    private readonly _session: ISessionContext
  ) {
    super();
    _session.kernelChanged.connect(this._onKernel, this);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._model = model;
    const last = this._rendermime.createRenderer(HTML);
    await last.renderModel(model);
    this._last?.dispose();
    this._last = last;
    last.hide();
    this.addWidget(last);
    void this._goLive();
  }

  dispose(): void {
    this._watch.disconnect();
    clearTimeout(this._timer);
    this._session.kernelChanged.disconnect(this._onKernel, this);
    super.dispose();
  }

  /** Let the page's manager of widgets draw it. */
  private async _goLive(): Promise<void> {
    const model = this._model;
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._choose(true), PATIENCE);
    await this._session.ready.catch(() => undefined);
    // the manager is told of the kernel at the same time
    await new Promise(resolve => setTimeout(resolve));
    if (this.isDisposed || model !== this._model) {
      return;
    }
    this._live?.dispose();
    this._live = null;
    if (model && this._session.session?.kernel && this._rendermime.getFactory(WIDGET)) {
      const live = this._rendermime.createRenderer(WIDGET);
      this._live = live;
      this.insertWidget(0, live);
      this._watch.disconnect();
      this._watch.observe(live.node, { childList: true });
      live.renderModel(model).catch(error => {
        // another kernel came while it was drawn
        if (!live.isDisposed) {
          throw error;
        }
      });
    }
  }

  /** A widget that is drawn is a child of its output; else there is only a text that says why not. */
  private _choose(isLate = false): void {
    const isLive = this._live !== null && [...this._live.children()].length > 0;
    this._late ||= isLate;
    this._live?.setHidden(!isLive && this._late);
    this._last?.setHidden(isLive || !this._late);
  }

  private _onKernel(): void {
    void this._goLive();
  }

  private _last: Widget | null = null;
  private _late = false;
  private _live: (Widget & IRenderMime.IRenderer) | null = null;
  private _model: IRenderMime.IMimeModel | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _watch = new MutationObserver(() => this._choose());
}
