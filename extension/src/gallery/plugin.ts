/** *Gallery*: opens a copy of a notebook that comes with the package. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import type { Contents } from '@jupyterlab/services';
import { ITranslator } from '@jupyterlab/translation';
import { notebookIcon } from '@jupyterlab/ui-components';

import { ApiError, request } from '../api';
import { Chooser } from './chooser';
import { COMMAND, GALLERY_ARGS, PLUGIN_ID, type IGalleryEntry } from './tokens';

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
  const { contents, serverSettings } = serviceManager;
  const trans = translator.load('perijove');

  const choose = async (entries: IGalleryEntry[]): Promise<string | null> => {
    const { button, value } = await showDialog({
      title: trans.__('Gallery'),
      body: new Chooser(entries),
      focusNodeSelector: 'input:checked',
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Open a copy') })
      ]
    });
    return button.accept ? value : null;
  };
  const read = (name: string) =>
    request<Contents.IModel['content']>(serverSettings, `gallery/${encodeURIComponent(name)}`);

  commands.addCommand(COMMAND, {
    label: args => (args.palette ? trans.__('Open a gallery notebook…') : trans.__('Gallery')),
    caption: trans.__('Open a copy of a notebook that shows what can be done'),
    icon: args => (args.palette ? undefined : notebookIcon),
    describedBy: { args: GALLERY_ARGS },
    execute: async args => {
      try {
        const entries = await request<IGalleryEntry[]>(serverSettings, 'gallery');
        const name = (args.name as string | undefined) ?? (await choose(entries));
        const entry = entries.find(known => known.name === name);
        if (!entry) {
          return;
        }
        const folder = (args.cwd as string | undefined) ?? browser?.model.path ?? '';
        const there = await namesIn(contents, folder);
        for (const companion of entry.companions.filter(other => !there.has(other))) {
          await save(contents, PathExt.join(folder, companion), await read(companion));
        }
        const path = PathExt.join(folder, freeName(entry.name, there));
        await save(contents, path, await read(entry.name));
        await commands.execute('docmanager:open', { path });
      } catch (error) {
        const words = error instanceof ApiError ? error.text : String(error);
        await showErrorMessage(trans.__('The notebook could not be copied'), words);
      }
    }
  });
  palette?.addItem({ command: COMMAND, args: { palette: true }, category: CATEGORY });
  launcher?.add({ command: COMMAND, category: CATEGORY, rank: 2 });
}

async function namesIn(contents: Contents.IManager, folder: string): Promise<Set<string>> {
  const { content } = await contents.get(folder, { type: 'directory' });
  return new Set((content as Contents.IModel[]).map(item => item.name));
}

async function save(contents: Contents.IManager, path: string, content: unknown): Promise<void> {
  await contents.save(path, { type: 'notebook', format: 'json', content });
}

/** The name, or with a number if there is such a file: nobody's work is written over. */
export function freeName(name: string, there: ReadonlySet<string>): string {
  const stem = name.replace(/\.ipynb$/, '');
  for (let number = 0; ; number++) {
    const tried = number ? `${stem}-${number}.ipynb` : name;
    if (!there.has(tried)) {
      return tried;
    }
  }
}
