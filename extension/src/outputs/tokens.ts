/** Names of the outputs of our widgets. */
export const PLUGIN_ID = 'perijove:outputs';

/** Stands beside the widget's own type in what a cell shows; its data is not looked at. */
export const MIME = 'application/vnd.perijove.view+json';
/** A widget of the kernel. */
export const WIDGET = 'application/vnd.jupyter.widget-view+json';
export const HTML = 'text/html';
