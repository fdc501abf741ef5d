/** *Gallery*: opens a copy of a notebook that comes with the package. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, showErrorMessage } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator } from '@jupyterlab/translation';
import { notebookIcon } from '@jupyterlab/ui-components';

import { COMMAND, GALLERY_ARGS, PLUGIN_ID } from './tokens';

const CATEGORY = 'Perijove';

export const galleryPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Opens copies of the gallery notebooks.',
  autoStart: true,
  requires: [ITranslator],
  optional: [ICommandPalette, ILauncher, IDefaultFileBrowser],
  activate
};

function activate(
  app: JupyterFrontEnd,
  translator: ITranslator,
  palette: ICommandPalette | null,
  launcher: ILauncher | null,
  browser: IDefaultFileBrowser | null
): void {
  const { commands, serviceManager } = app;
  const trans = translator.load('perijove');
  commands.addCommand(COMMAND, {
    label: args => (args.palette ? trans.__('Open a gallery notebook…') : trans.__('Gallery')),
    caption: trans.__('Open a copy of a notebook that shows what can be done'),
    icon: args => (args.palette ? undefined : notebookIcon),
    describedBy: { args: GALLERY_ARGS },
    execute: async args => {
      const { copyFromGallery } = await import('./copy');
      try {
        const path = await copyFromGallery({
          contents: serviceManager.contents,
          settings: serviceManager.serverSettings,
          trans,
          folder: (args.cwd as string | undefined) ?? browser?.model.path ?? '',
          name: args.name as string | undefined
        });
        if (path !== null) {
          await commands.execute('docmanager:open', { path });
        }
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        await showErrorMessage(trans.__('The notebook could not be copied'), words);
      }
    }
  });
  palette?.addItem({ command: COMMAND, args: { palette: true }, category: CATEGORY });
  launcher?.add({ command: COMMAND, category: CATEGORY, rank: 2 });
}
