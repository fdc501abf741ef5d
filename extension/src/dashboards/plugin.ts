/** *Open dashboard*: our Voila pages, in a tab of JupyterLab and behind its login. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, InputDialog, IThemeManager, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator } from '@jupyterlab/translation';

import { showDocument } from '../components/document';
import { IWorkspace } from '../workspace';
import type { DashboardDocument } from './document';
import { COMMAND, DASHBOARD_ARGS, keyOf, PLUGIN_ID, type DashboardName } from './tokens';

const CATEGORY = 'Perijove';

export const dashboardsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Opens the dashboards: workspace, leaderboard and model card.',
  autoStart: true,
  requires: [IWorkspace, ITranslator],
  optional: [ILayoutRestorer, ICommandPalette, IThemeManager],
  activate
};

function activate(
  app: JupyterFrontEnd,
  workspace: IWorkspace,
  translator: ITranslator,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  themes: IThemeManager | null
): void {
  const { commands, shell } = app;
  const trans = translator.load('perijove');
  const tracker = new WidgetTracker<DashboardDocument>({ namespace: 'perijove-dashboards' });
  const theme = () => (!themes?.theme || themes.isLight(themes.theme) ? 'light' : 'dark');
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
      const dashboard = {
        name,
        experiment:
          (args.experiment as string | undefined) ?? workspace.experiments.get(experimentId)?.name,
        model: (args.model as string | undefined) ?? modelName
      };
      // loaded when it is needed first: JupyterLab starts without it
      const { DashboardDocument } = await import('./document');
      showDocument(
        shell,
        tracker,
        one => keyOf(one.dashboard) === keyOf(dashboard),
        () => {
          const { baseUrl } = app.serviceManager.serverSettings;
          const made = new DashboardDocument(dashboard, titles[name], baseUrl);
          made.theme = theme();
          return made;
        }
      );
    }
  });
  themes?.themeChanged.connect(() => tracker.forEach(widget => (widget.theme = theme())));
  void restorer?.restore(tracker, {
    command: COMMAND,
    args: ({ dashboard }) => ({ ...dashboard }),
    name: ({ dashboard }) => keyOf(dashboard)
  });
  palette?.addItem({ command: COMMAND, category: CATEGORY });
}
