/** Copies a gallery notebook, and those that it needs, into a folder. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { Contents, ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { request } from '../api';
import { Chooser } from './chooser';
import { freeName } from './names';
import type { IGalleryEntry } from './tokens';

interface IWish {
  contents: Contents.IManager;
  settings: ServerConnection.ISettings;
  trans: TranslationBundle;
  folder: string;
  /** Its file name; without it the user is asked. */
  name?: string;
}

/** The path of the copy; null if the user wants none. */
export async function copyFromGallery(wish: IWish): Promise<string | null> {
  const { contents, settings, folder } = wish;
  const entries = await request<IGalleryEntry[]>(settings, 'gallery');
  const name = wish.name ?? (await choose(entries, wish.trans));
  const entry = entries.find(known => known.name === name);
  if (!entry) {
    return null;
  }
  const copy = async (from: string, to: string): Promise<string> => {
    const path = PathExt.join(folder, to);
    const content = await request<unknown>(settings, `gallery/${encodeURIComponent(from)}`);
    await contents.save(path, { type: 'notebook', format: 'json', content });
    return path;
  };
  const listed = (await contents.get(folder, { type: 'directory', content: true }))
    .content as Contents.IModel[];
  const there = new Set(listed.map(item => item.name));
  for (const companion of entry.companions.filter(other => !there.has(other))) {
    await copy(companion, companion);
  }
  return copy(entry.name, freeName(entry.name, there));
}

async function choose(entries: IGalleryEntry[], trans: TranslationBundle): Promise<string | null> {
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
}
