/** The executing notebook, which follows the cell that runs until the reader goes elsewhere. */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Block, blocksOf, versionOf } from './block';
import type { NotebookModel } from './notebook';
import type { Pictures } from './pictures';

/** Pixels below the end of a cell that is followed. */
const MARGIN = 12;

export interface INotebookViewProps {
  model: NotebookModel;
  now: number;
  active: boolean;
  message: string | null;
  /** What it waits for. */
  waiting: string | null;
  pictures: Pictures;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  trans: TranslationBundle;
}

export function NotebookView(props: INotebookViewProps): React.ReactElement {
  const { model, trans } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const [follow, setFollow] = React.useState(true);
  // a new object each time, so that going to a cell again goes there again
  const [target, goTo] = React.useState<{ index: number } | null>(null);
  const blocks = React.useMemo(() => blocksOf(model.cells), [model.cells]);
  const current = model.current?.index;

  React.useEffect(() => {
    if (follow && props.active && current !== undefined) {
      goTo({ index: current });
    }
  }, [current, follow, props.active]);
  const elementOf = (index?: number) =>
    scroller.current?.querySelector(`[data-cell-index="${index}"]`);
  // the block of the target is drawn by now
  React.useLayoutEffect(() => {
    elementOf(target?.index)?.scrollIntoView({ block: 'center' });
  }, [target]);
  // and what the cell puts out last stays in view
  React.useEffect(() => {
    const cell = follow && props.active ? elementOf(current) : null;
    if (cell) {
      const view = scroller.current!;
      const below = cell.getBoundingClientRect().bottom - view.getBoundingClientRect().bottom;
      view.scrollTop += Math.max(0, below + MARGIN);
    }
  }, [current, model.current?.version, props.now, follow]);

  const failed = model.cells.find(cell => cell.state === 'error');
  const stay = () => setFollow(false);
  return (
    <div
      ref={scroller}
      className="jp-perijove-notebook"
      tabIndex={0}
      aria-label={trans.__('Executing notebook')}
      onWheel={stay}
      onTouchMove={stay}
      onKeyDown={stay}
    >
      {props.message && (
        <div className="jp-perijove-banner" role="alert">
          <span>{props.message}</span>
          {failed && (
            <button
              className="jp-Button jp-mod-styled"
              onClick={() => goTo({ index: failed.index })}
            >
              {trans.__('Go to cell')}
            </button>
          )}
        </div>
      )}
      {!model.cells.length && (
        <p className="jp-perijove-hint">
          {props.active
            ? (props.waiting ?? trans.__('The notebook appears here as soon as it starts.'))
            : model.seq
              ? trans.__('It never started.')
              : trans.__('Loading…')}
        </p>
      )}
      {blocks.map((cells, at) => (
        <Block
          key={`${model.attempt}-${at}`}
          cells={cells}
          version={versionOf(cells)}
          // time passes only where a cell runs
          now={cells.some(cell => cell.state === 'running') ? props.now : 0}
          drawn={cells.some(cell => cell.index === target?.index)}
          language={model.language}
          pictures={props.pictures}
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
