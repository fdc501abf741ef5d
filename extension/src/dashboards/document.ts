/** A dashboard in the main area: its page in a frame, in the theme that JupyterLab has. */
import { IFrame, MainAreaWidget } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';

import { perijoveIcon } from '../components/icons';
import { dashboardUrl, type IDashboard } from './tokens';

export class DashboardDocument extends MainAreaWidget<IFrame> {
  constructor(
    readonly dashboard: IDashboard,
    title: string,
    private _baseUrl: string
  ) {
    super({
      content: new IFrame({
        sandbox: ['allow-scripts', 'allow-same-origin', 'allow-downloads', 'allow-popups'],
        loading: 'eager'
      })
    });
    const { experiment, model } = dashboard;
    this.title.label = [title, experiment ?? model].filter(Boolean).join(' · ');
    this.title.icon = perijoveIcon;
    this.title.closable = true;
    this.addClass('jp-perijove-dashboard');
  }

  /** A page has one theme: with another it begins anew. */
  set theme(theme: 'light' | 'dark') {
    const { name, experiment, model } = this.dashboard;
    this.content.url = URLExt.join(this._baseUrl, dashboardUrl(name, { experiment, model, theme }));
  }
}
