/** Names, and what the server says of a gallery notebook. */
export const PLUGIN_ID = 'perijove:gallery';
export const COMMAND = 'perijove:open-gallery';

export interface IGalleryEntry {
  /** The file's name. */
  name: string;
  title: string;
  summary: string;
  /** Notebooks that it wants beside it. */
  companions: string[];
}

export const GALLERY_ARGS = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'Its file name; without it, the user is asked' },
    cwd: { type: 'string', description: 'Where the copy goes' }
  }
} as const;
