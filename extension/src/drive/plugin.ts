/** The files of an instance, as a drive in a file browser of its own. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, InputDialog } from '@jupyterlab/apputils';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import { FileBrowser, IFileBrowserFactory, Uploader } from '@jupyterlab/filebrowser';
import { Drive } from '@jupyterlab/services';
import { ITranslator } from '@jupyterlab/translation';
import { folderIcon, newFolderIcon, refreshIcon, ToolbarButton } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { instances } from '../kernels/place';
import { IWorkspace } from '../workspace';
import { followChanges } from './changes';

export const BROWSE = 'perijove:browse-files';
/** Milliseconds between two looks at a folder that is shown. */
const REFRESH = 15000;
const TO_TRASH = 'delete_to_trash';

export const drivePlugin: JupyterFrontEndPlugin<void> = {
  id: 'perijove:drive',
  description: 'Puts the files of instances into file browsers.',
  autoStart: true,
  requires: [IWorkspace, ITranslator, IFileBrowserFactory],
  optional: [ILayoutRestorer, ICommandPalette],
  activate
};

/** The default browser's tools come from its settings; these are the ones that matter here. */
function addTools(browser: FileBrowser, name: string, translator: ITranslator): void {
  const trans = translator.load('perijove');
  const title = new Widget();
  title.addClass('jp-perijove-drive-name');
  title.node.textContent = name;
  const { toolbar, model } = browser;
  toolbar.addItem('name', title);
  toolbar.addItem(
    'folder',
    new ToolbarButton({
      icon: newFolderIcon,
      tooltip: trans.__('New folder'),
      onClick: () => void browser.createNewDirectory()
    })
  );
  toolbar.addItem('upload', new Uploader({ model, translator }));
  toolbar.addItem(
    'refresh',
    new ToolbarButton({
      icon: refreshIcon,
      tooltip: trans.__('Look again'),
      onClick: () => void model.refresh()
    })
  );
}

/** JupyterLab asks in the words of the server's own files, which may go to a trash: these do not. */
function deleteForGood(browser: FileBrowser): void {
  const ask = browser.delete.bind(browser);
  browser.delete = () => {
    const option = PageConfig.getOption(TO_TRASH);
    PageConfig.setOption(TO_TRASH, 'false');
    const asked = ask(); // reads it at once
    PageConfig.setOption(TO_TRASH, option);
    return asked;
  };
}

function activate(
  app: JupyterFrontEnd,
  workspace: IWorkspace,
  translator: ITranslator,
  factory: IFileBrowserFactory,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null
): void {
  const { commands, serviceManager, shell } = app;
  const { compute } = workspace;
  const trans = translator.load('perijove');
  const browsers = new Map<string, FileBrowser>();
  const names = () => instances(serviceManager.kernelspecs.specs);

  /** The drive is there before anything asks for its files: a restored notebook does. */
  const drives = new Set<string>();
  const addDrives = () => {
    for (const name of names().filter(name => !drives.has(name))) {
      const { serverSettings } = serviceManager;
      drives.add(name);
      serviceManager.contents.addDrive(
        new Drive({
          name,
          apiEndpoint: 'contents',
          // what is downloaded has an address below it, too
          serverSettings: {
            ...serverSettings,
            baseUrl: URLExt.join(serverSettings.baseUrl, 'perijove', 'drives', name, '/')
          }
        })
      );
    }
  };
  serviceManager.kernelspecs.specsChanged.connect(addDrives);
  addDrives();

  const browse = (name: string) => {
    let browser = browsers.get(name);
    if (!browser || browser.isDisposed) {
      browser = factory.createFileBrowser(`perijove-files-${name}`, {
        driveName: name,
        refreshInterval: REFRESH
      });
      browser.title.icon = folderIcon;
      browser.title.caption = trans.__('Files of %1', name);
      browser.title.closable = true;
      browsers.set(name, browser);
      addTools(browser, name, translator);
      deleteForGood(browser);
      shell.add(browser, 'left', { rank: 101, type: 'File Browser' });
      restorer?.add(browser, browser.id);
    }
    shell.activateById(browser.id);
  };
  followChanges(serviceManager.contents, () =>
    [...browsers.values()].filter(browser => !browser.isDisposed).map(browser => browser.model)
  );
  // a file browser of an instance that is gone goes too
  compute.changed.connect(() => {
    for (const [name, browser] of browsers) {
      if (compute.isReady && !compute.get(name)) {
        browser.dispose();
        browsers.delete(name);
      }
    }
  });

  const named = (args: { name?: unknown }) => {
    const row = app.contextMenuHitTest(node => Boolean(node.dataset.target));
    const name = (args.name as string | undefined) ?? row?.dataset.target;
    return name && names().includes(name) ? name : undefined;
  };
  commands.addCommand(BROWSE, {
    label: args => (args.palette ? trans.__('Browse files of an instance…') : trans.__('Files')),
    icon: folderIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          name: { type: 'string', description: trans.__('The name of the instance') },
          palette: { type: 'boolean', description: trans.__('Ask which instance is meant') }
        }
      }
    },
    isVisible: args => Boolean(args.palette || named(args)),
    isEnabled: args => (args.palette ? names().length > 0 : Boolean(named(args))),
    execute: async args => {
      let name = args.palette ? undefined : named(args);
      if (args.palette) {
        const title = trans.__('Browse files of an instance');
        const [only, ...others] = names();
        name = others.length
          ? ((await InputDialog.getItem({ title, items: names() })).value ?? undefined)
          : only;
      }
      if (name) {
        addDrives();
        browse(name);
      }
    }
  });
  palette?.addItem({ command: BROWSE, args: { palette: true }, category: trans.__('Perijove') });
}
