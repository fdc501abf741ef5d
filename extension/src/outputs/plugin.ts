/** Shows our widgets in notebooks, also where their kernel is gone. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { ViewOutput } from './renderer';
import { MIME, PLUGIN_ID } from './tokens';

export const outputsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows what our widgets looked like last where no kernel has them any more.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_: JupyterFrontEnd, notebooks: INotebookTracker) => {
    const add = ({ content, sessionContext }: NotebookPanel) => {
      const { rendermime } = content;
      rendermime.addFactory(
        {
          // as with all widgets: in a notebook that is not trusted its HTML is shown, sanitized
          safe: false,
          mimeTypes: [MIME],
          createRenderer: () => new ViewOutput(rendermime, sessionContext)
        },
        // before the widget's own type
        -20
      );
    };
    notebooks.forEach(add);
    notebooks.widgetAdded.connect((_, panel) => add(panel));
  }
};
