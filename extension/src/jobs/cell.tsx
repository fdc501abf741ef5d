/** A cell of the executing notebook: read-only. */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { IOutput } from '@jupyterlab/nbformat';
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import { IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { duration } from './format';
import type { ICell } from './notebook';

export interface ICellProps {
  cell: ICell;
  version: number;
  now: number;
  language: string;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  trans: TranslationBundle;
}

export const Cell = React.memo(function Cell(props: ICellProps): React.ReactElement {
  const { cell, trans } = props;
  const mark = { waiting: '', running: '●', ok: '✓', error: '✕' }[cell.state];
  const count = cell.executionCount ?? (cell.state === 'running' ? '*' : ' ');
  const took =
    cell.state === 'running' && cell.startedAt
      ? `${trans.__('running')} · ${duration((props.now - cell.startedAt) / 1000)}`
      : cell.duration !== null && cell.source.trim()
        ? duration(cell.duration)
        : '';
  return (
    <div className={`jp-perijove-cell jp-mod-${cell.state}`} data-cell-index={cell.index}>
      <div className="jp-perijove-prompt">
        {cell.type === 'code' && (
          <>
            [{count}] <span className="jp-perijove-mark">{mark}</span>
          </>
        )}
      </div>
      <div className="jp-perijove-cell-main">
        {cell.type === 'markdown' ? (
          <Markdown source={cell.source} rendermime={props.rendermime} />
        ) : (
          <Source
            source={cell.source}
            language={cell.type === 'code' ? props.language : ''}
            languages={props.languages}
          />
        )}
        {cell.outputs.length > 0 && (
          <Outputs outputs={cell.outputs} version={cell.version} rendermime={props.rendermime} />
        )}
        {took && <div className="jp-perijove-took">{took}</div>}
      </div>
    </div>
  );
});

function Source(props: {
  source: string;
  language: string;
  languages: IEditorLanguageRegistry;
}): React.ReactElement {
  const host = React.useRef<HTMLPreElement>(null);
  // before it is painted: it has its height when it is scrolled to
  React.useLayoutEffect(() => {
    const element = host.current!;
    const language = props.languages.findByName(props.language);
    element.textContent = props.source;
    if (language) {
      const drawn = document.createElement('pre');
      void props.languages
        .highlight(props.source, language, drawn)
        .then(() => element.replaceChildren(...drawn.childNodes));
    }
  }, [props.source, props.language]);
  return <pre ref={host} className="jp-perijove-source cm-editor" />;
}

function Markdown(props: { source: string; rendermime: IRenderMimeRegistry }): React.ReactElement {
  return (
    <Mounted
      make={() => {
        const renderer = props.rendermime.createRenderer('text/markdown');
        const model = new MimeModel({ data: { 'text/markdown': props.source }, trusted: false });
        void renderer.renderModel(model);
        return renderer;
      }}
      deps={[props.source]}
    />
  );
}

function Outputs(props: {
  outputs: IOutput[];
  version: number;
  rendermime: IRenderMimeRegistry;
}): React.ReactElement {
  const model = React.useRef<OutputAreaModel | null>(null);
  React.useEffect(() => {
    model.current?.fromJSON(props.outputs);
  }, [props.version]);
  return (
    <Mounted
      make={() => {
        // what a job put out is shown as a notebook of somebody else's is: sanitised
        model.current = new OutputAreaModel({ trusted: false, values: props.outputs });
        return new SimplifiedOutputArea({ model: model.current, rendermime: props.rendermime });
      }}
      deps={[]}
    />
  );
}

/** A Lumino widget inside React. */
function Mounted(props: { make(): Widget; deps: unknown[] }): React.ReactElement {
  const host = React.useRef<HTMLDivElement>(null);
  // a layout effect is undone while its element is still in the page, as detaching needs
  React.useLayoutEffect(() => {
    const widget = props.make();
    Widget.attach(widget, host.current!);
    return () => {
      if (widget.isAttached) {
        Widget.detach(widget);
      }
      widget.dispose();
    };
  }, props.deps);
  return <div ref={host} />;
}
