/** *Open dashboard*: our Voila pages, in a tab of JupyterLab and behind its login. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  ICommandPalette,
  IFrame,
  InputDialog,
  IThemeManager,
  MainAreaWidget
} from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { ITranslator } from '@jupyterlab/translation';

import { perijoveIcon } from '../components/icons';
import { IWorkspace } from '../workspace';
import { COMMAND, DASHBOARD_ARGS, PLUGIN_ID, dashboardUrl, type DashboardName } from './tokens';

const CATEGORY = 'Perijove';

export const dashboardsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Opens the dashboards: workspace, leaderboard and model card.',
  autoStart: true,
  requires: [IWorkspace, ITranslator],
  optional: [ICommandPalette, IThemeManager],
  activate
};

function activate(
  app: JupyterFrontEnd,
  workspace: IWorkspace,
  translator: ITranslator,
  palette: ICommandPalette | null,
  themes: IThemeManager | null
): void {
  const { commands, shell } = app;
  const trans = translator.load('perijove');
  const titles: Record<DashboardName, string> = {
    workspace: trans.__('Workspace'),
    leaderboard: trans.__('Leaderboard'),
    model_card: trans.__('Model card')
  };

  const choose = async (): Promise<DashboardName | undefined> => {
    const names = Object.keys(titles) as DashboardName[];
    const { button, value } = await InputDialog.getItem({
      title: trans.__('Open dashboard'),
      label: trans.__('Dashboard'),
      items: names.map(name => titles[name]),
      okLabel: trans.__('Open')
    });
    return button.accept ? names.find(name => titles[name] === value) : undefined;
  };

  const clicked = (): DOMStringMap =>
    app.contextMenuHitTest(({ dataset }) => Boolean(dataset.experimentId ?? dataset.modelName))
      ?.dataset ?? {};

  commands.addCommand(COMMAND, {
    label: args =>
      args.name
        ? trans.__('Open dashboard (%1)', titles[args.name as DashboardName].toLowerCase())
        : trans.__('Open dashboard…'),
    describedBy: { args: DASHBOARD_ARGS },
    execute: async args => {
      const name = (args.name as DashboardName | undefined) ?? (await choose());
      if (!name) {
        return;
      }
      const { experimentId = '', modelName } = args.row ? clicked() : {};
      const experiment =
        (args.experiment as string | undefined) ?? workspace.experiments.get(experimentId)?.name;
      const model = (args.model as string | undefined) ?? modelName;
      const isLight = !themes?.theme || themes.isLight(themes.theme);
      const { baseUrl } = app.serviceManager.serverSettings;
      const frame = new IFrame({
        sandbox: ['allow-scripts', 'allow-same-origin', 'allow-downloads', 'allow-popups'],
        loading: 'eager'
      });
      frame.url = URLExt.join(
        baseUrl,
        dashboardUrl(name, { experiment, model, theme: isLight ? 'light' : 'dark' })
      );
      const widget = new MainAreaWidget({ content: frame });
      widget.title.label = [titles[name], experiment ?? model].filter(Boolean).join(' · ');
      widget.title.icon = perijoveIcon;
      widget.title.closable = true;
      widget.addClass('jp-perijove-dashboard');
      shell.add(widget, 'main');
      shell.activateById(widget.id);
    }
  });
  palette?.addItem({ command: COMMAND, category: CATEGORY });
}
