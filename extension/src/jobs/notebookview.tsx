/** The executing notebook, which follows the cell that runs until the reader scrolls away. */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Cell } from './cell';
import type { NotebookModel } from './notebook';

export interface INotebookViewProps {
  model: NotebookModel;
  now: number;
  active: boolean;
  message: string | null;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  trans: TranslationBundle;
}

export function NotebookView(props: INotebookViewProps): React.ReactElement {
  const { model, trans } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const [follow, setFollow] = React.useState(true);
  const current = model.current?.index;

  const goTo = (index: number) =>
    scroller.current
      ?.querySelector(`[data-cell-index="${index}"]`)
      ?.scrollIntoView({ block: 'center' });
  React.useEffect(() => {
    if (follow && props.active && current !== undefined) {
      goTo(current);
    }
  }, [current, follow, props.active]);

  const failed = model.cells.find(cell => cell.state === 'error');
  return (
    <div
      ref={scroller}
      className="jp-perijove-notebook"
      tabIndex={0}
      aria-label={trans.__('Executing notebook')}
      onWheel={() => setFollow(false)}
    >
      {props.message && (
        <div className="jp-perijove-banner" role="alert">
          <span>{props.message}</span>
          {failed && (
            <button className="jp-Button jp-mod-styled" onClick={() => goTo(failed.index)}>
              {trans.__('Go to cell')}
            </button>
          )}
        </div>
      )}
      {!model.cells.length && (
        <p className="jp-perijove-hint">
          {props.active
            ? trans.__('The notebook appears here as soon as it starts.')
            : model.seq
              ? trans.__('It never started.')
              : trans.__('Loading…')}
        </p>
      )}
      {model.cells.map(cell => (
        <Cell
          key={`${model.attempt}-${cell.index}`}
          cell={cell}
          version={cell.version}
          now={cell.state === 'running' ? props.now : 0}
          language={model.language}
          rendermime={props.rendermime}
          languages={props.languages}
          trans={trans}
        />
      ))}
      {props.active && !follow && (
        <button
          className="jp-perijove-follow jp-Button jp-mod-styled"
          onClick={() => setFollow(true)}
        >
          {trans.__('Follow')}
        </button>
      )}
    </div>
  );
}
