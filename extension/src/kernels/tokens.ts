/** Names that plugins share. */
export const PLUGIN_ID = 'perijove:kernels';
export const TOOLBAR_ITEM = 'perijove-kernel';
