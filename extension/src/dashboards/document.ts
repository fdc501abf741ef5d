/** A dashboard in the main area: its page in a frame, in the theme that JupyterLab has. */
import { IFrame } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { Message } from '@lumino/messaging';

import { Document } from '../components/document';
import { perijoveIcon } from '../components/icons';
import { dashboardUrl, keyOf, type IDashboard } from './tokens';

export class DashboardDocument extends Document<IFrame> {
  constructor(
    readonly dashboard: IDashboard,
    title: string,
    private _baseUrl: string
  ) {
    const { experiment, model } = dashboard;
    const frame = new IFrame({
      sandbox: ['allow-scripts', 'allow-same-origin', 'allow-downloads', 'allow-popups'],
      loading: 'eager'
    });
    super(frame, {
      id: `perijove-dashboard-${encodeURIComponent(keyOf(dashboard))}`,
      icon: perijoveIcon,
      label: [title, experiment ?? model].filter(Boolean).join(' · ')
    });
    this.addClass('jp-perijove-dashboard');
  }

  /** A page has one theme: with another it begins anew. */
  set theme(theme: 'light' | 'dark') {
    const { name, experiment, model } = this.dashboard;
    this._url = URLExt.join(this._baseUrl, dashboardUrl(name, { experiment, model, theme }));
    this._load();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._load();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._load();
  }

  /** Each page has a kernel: it is loaded when it is looked at. */
  private _load(): void {
    if (this.isVisible && this.content.url !== this._url) {
      this.content.url = this._url;
    }
  }

  private _url = '';
}
