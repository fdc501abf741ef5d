/**
 * Lists a folder of a drive again as soon as something in it is another one.
 *
 * JupyterLab's file browser does that for the server's own files, and for the top of a drive; below
 * it compares a path that has the name of the drive with one that has it twice, and finds out at
 * its next look, which may be minutes later.
 */
import { PathExt } from '@jupyterlab/coreutils';
import type { FileBrowserModel } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';

/** What of a file browser's model this needs. */
export type Shown = Pick<FileBrowserModel, 'path' | 'refresh'>;

export function followChanges(
  contents: Pick<Contents.IManager, 'fileChanged'>,
  shown: () => Shown[]
): void {
  contents.fileChanged.connect((_, { oldValue, newValue }) => {
    const folders = [oldValue, newValue].flatMap(file =>
      file?.path ? [PathExt.dirname(file.path)] : []
    );
    for (const model of shown()) {
      if (folders.includes(model.path)) {
        void model.refresh();
      }
    }
  });
}
