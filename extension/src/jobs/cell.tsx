/** A cell of the executing notebook: read-only. */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Markdown, Outputs, Source } from '../components/rendered';
import { duration } from './format';
import type { ICell } from './notebook';
import type { Pictures } from './pictures';

export interface ICellProps {
  cell: ICell;
  version: number;
  now: number;
  language: string;
  pictures: Pictures;
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
          <Markdown
            source={cell.source}
            rendermime={props.pictures.of(cell.id)}
            trans={props.trans}
          />
        ) : (
          <Source
            source={cell.source}
            language={cell.type === 'code' ? props.language : ''}
            languages={props.languages}
          />
        )}
        {cell.outputs.length > 0 && (
          <Outputs
            outputs={cell.outputs}
            version={cell.version}
            rendermime={props.rendermime}
            trans={props.trans}
          />
        )}
        {took && <div className="jp-perijove-took">{took}</div>}
      </div>
    </div>
  );
});
