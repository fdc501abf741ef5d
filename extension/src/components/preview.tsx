/** A look into a file: what there is of it is shown by its kind. */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { IOutput } from '@jupyterlab/nbformat';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Artifact, ArtifactPreview } from '../api';
import { useAnswer } from './answer';
import { Boundary } from './boundary';
import { LoadingLine } from './loading';
import { isNumeric } from './numeric';
import { Markdown, Outputs, Source } from './rendered';

export interface IPreviewProps {
  preview(path: string): Promise<ArtifactPreview>;
  /** Where the browser itself has a file. */
  url(path: string, download: boolean): string;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  trans: TranslationBundle;
}

export function Preview(props: IPreviewProps & { file: Artifact }): React.ReactElement {
  const { file, trans } = props;
  const [shown, error] = useAnswer<ArtifactPreview>(
    () => props.preview(file.path),
    [file.path, file.size],
    true
  );
  if (error && !shown) {
    return (
      <p className="jp-perijove-hint" role="alert">
        {error}
      </p>
    );
  }
  if (!shown) {
    return <LoadingLine trans={trans} />;
  }
  return (
    <div className="jp-perijove-preview-box">
      {(shown.truncated || (shown.message && shown.kind !== 'none')) && (
        <p className="jp-perijove-hint">
          {shown.message ?? trans.__('The beginning of it. Download it to have all.')}
        </p>
      )}
      {/* a file may hold anything under any name */}
      <Boundary
        instead={
          <p className="jp-perijove-hint" role="alert">
            {trans.__(
              'It is not what its name says, and cannot be shown. Download it to look inside.'
            )}
          </p>
        }
      >
        <Content {...props} shown={shown} />
      </Boundary>
    </div>
  );
}

function Content(
  props: IPreviewProps & { file: Artifact; shown: ArtifactPreview }
): React.ReactElement {
  const { shown, trans } = props;
  const text = shown.text ?? '';
  switch (shown.kind) {
    case 'image':
      return <Image src={props.url(shown.path, false)} name={shown.path} trans={trans} />;
    case 'table':
      return shown.columns?.length ? (
        <Table shown={shown} trans={trans} />
      ) : (
        <p className="jp-perijove-hint">{trans.__('The file is empty.')}</p>
      );
    case 'markdown':
      return (
        <div className="jp-perijove-preview jp-mod-prose">
          <Markdown source={text} rendermime={props.rendermime} trans={props.trans} />
        </div>
      );
    case 'html':
      // scripts of the page run in an origin of their own, with access to nothing here
      return (
        <iframe
          className="jp-perijove-preview"
          sandbox="allow-scripts"
          srcDoc={text}
          title={shown.path}
        />
      );
    case 'notebook':
      return <NotebookPreview {...props} text={text} />;
    case 'json':
      return (
        <div className="jp-perijove-preview">
          <Source source={pretty(text)} language="json" languages={props.languages} />
        </div>
      );
    case 'text':
      return text ? (
        <pre className="jp-perijove-preview">{text}</pre>
      ) : (
        <p className="jp-perijove-hint">{trans.__('The file is empty.')}</p>
      );
    default:
      return (
        <p className="jp-perijove-hint">
          {shown.message ?? trans.__('No preview. Download it to look inside.')}
        </p>
      );
  }
}

function Image(props: { src: string; name: string; trans: TranslationBundle }): React.ReactElement {
  const [isBroken, setBroken] = React.useState(false);
  return isBroken ? (
    <p className="jp-perijove-hint">{props.trans.__('This is no image that can be shown.')}</p>
  ) : (
    <img
      className="jp-perijove-preview"
      src={props.src}
      alt={props.name}
      onError={() => setBroken(true)}
    />
  );
}

function Table(props: { shown: ArtifactPreview; trans: TranslationBundle }): React.ReactElement {
  const { columns, total_rows: total } = props.shown;
  const rows = props.shown.rows ?? [];
  const shown = rows.length;
  // a column of figures: each is to stand above the other, its name above them
  const looks = columns?.map((_, at) => (isNumeric(rows, at) ? 'jp-mod-number' : ''));
  return (
    <div className="jp-perijove-preview">
      <table className="jp-perijove-table">
        <thead>
          <tr>
            {columns?.map((name, index) => (
              <th key={index} scope="col" className={looks?.[index]}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, at) => (
                <td key={at} className={looks?.[at]}>
                  {cell ?? '–'}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {total !== null && total !== undefined && total > shown && (
        <p className="jp-perijove-hint">
          {props.trans.__('%1 of %2 rows', shown, total.toLocaleString())}
        </p>
      )}
    </div>
  );
}

function NotebookPreview(props: IPreviewProps & { text: string }): React.ReactElement {
  const notebook = React.useMemo(() => {
    try {
      return JSON.parse(props.text) as { cells?: any[]; metadata?: any };
    } catch {
      return null;
    }
  }, [props.text]);
  if (!notebook) {
    return <pre className="jp-perijove-preview">{props.text}</pre>;
  }
  const language = notebook.metadata?.kernelspec?.language ?? 'python';
  return (
    <div className="jp-perijove-preview jp-mod-notebook">
      {(notebook.cells ?? []).map((cell, index) => (
        <div key={index} className="jp-perijove-cell">
          <div className="jp-perijove-cell-main">
            {cell.cell_type === 'markdown' ? (
              <Markdown
                source={joined(cell.source)}
                rendermime={props.rendermime}
                trans={props.trans}
              />
            ) : (
              <Source
                source={joined(cell.source)}
                language={cell.cell_type === 'code' ? language : ''}
                languages={props.languages}
              />
            )}
            {cell.outputs?.length > 0 && (
              <Outputs
                outputs={cell.outputs as IOutput[]}
                version={0}
                rendermime={props.rendermime}
                trans={props.trans}
              />
            )}
          </div>
        </div>
      ))}
    </div>
  );
}

/** A notebook file has texts as lines. */
function joined(text: string | string[]): string {
  return Array.isArray(text) ? text.join('') : (text ?? '');
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
