/** Files in folders with a look into each; folders are read when they are opened. */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { IOutput } from '@jupyterlab/nbformat';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import {
  caretDownIcon,
  caretRightIcon,
  downloadIcon,
  fileIcon,
  folderIcon
} from '@jupyterlab/ui-components';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import { ApiError, type Artifact, type ArtifactPage, type ArtifactPreview } from '../api';
import { Markdown, Outputs, Source } from './rendered';
import { bytes } from './size';

export interface IArtifactsProps {
  load(path: string, page?: string): Promise<ArtifactPage>;
  preview(path: string): Promise<ArtifactPreview>;
  /** Where the browser itself has a file. */
  url(path: string, download: boolean): string;
  /** Changes when files may have come: the open folders are read anew. */
  version: number | string;
  /** What is said where there are none. */
  empty: string;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  trans: TranslationBundle;
}

interface IFolder {
  entries: Artifact[];
  next: string | null;
}

interface ILine {
  depth: number;
  file?: Artifact;
  /** The folder whose other entries can be asked for. */
  more?: string;
}

const LINE = 24;

export function Artifacts(props: IArtifactsProps): React.ReactElement {
  const { trans } = props;
  const [folders, setFolders] = React.useState<Record<string, IFolder>>({});
  const [open, setOpen] = React.useState<Record<string, boolean>>({ '': true });
  const [chosen, setChosen] = React.useState<string | null>(null);
  const [error, setError] = React.useState<string | null>(null);
  const scroller = React.useRef<HTMLUListElement>(null);

  const read = async (path: string, page?: string) => {
    try {
      const found = await props.load(path, page);
      setError(null);
      setFolders(known => ({
        ...known,
        [path]: {
          entries: page ? [...(known[path]?.entries ?? []), ...found.entries] : found.entries,
          next: found.next ?? null
        }
      }));
    } catch (reason) {
      setError(reason instanceof ApiError ? reason.text : String(reason));
    }
  };
  React.useEffect(() => {
    Object.keys(open).forEach(path => open[path] && void read(path));
  }, [props.version]);

  const lines: ILine[] = [];
  const walk = (path: string, depth: number) => {
    const folder = folders[path];
    for (const file of folder?.entries ?? []) {
      lines.push({ depth, file });
      if (file.is_dir && open[file.path]) {
        walk(file.path, depth + 1);
      }
    }
    if (folder?.next) {
      lines.push({ depth, more: path });
    }
  };
  walk('', 0);
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE,
    overscan: 12
  });

  const act = (line: ILine) => {
    if (line.more !== undefined) {
      void read(line.more, folders[line.more].next ?? undefined);
    } else if (line.file?.is_dir) {
      const { path } = line.file;
      setOpen({ ...open, [path]: !open[path] });
      if (!open[path] && !folders[path]) {
        void read(path);
      }
    } else if (line.file) {
      setChosen(line.file.path);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const at = lines.findIndex(line => line.file?.path === chosen);
      const next = lines[Math.max(0, Math.min(lines.length - 1, at + step))];
      if (next?.file) {
        setChosen(next.file.path);
        virtualizer.scrollToIndex(lines.indexOf(next));
      }
    } else if (event.key === 'Enter') {
      const line = lines.find(({ file }) => file?.path === chosen);
      if (line) {
        event.preventDefault();
        act(line);
      }
    }
  };

  if (error && !folders['']) {
    return (
      <p className="jp-perijove-hint" role="alert">
        {error}
      </p>
    );
  }
  if (!folders['']) {
    return <p className="jp-perijove-hint">{trans.__('Loading…')}</p>;
  }
  if (!lines.length) {
    return <p className="jp-perijove-hint">{props.empty}</p>;
  }
  const file = chosen === null ? undefined : lines.find(line => line.file?.path === chosen)?.file;
  return (
    <div className="jp-perijove-files">
      <ul
        ref={scroller}
        role="tree"
        aria-label={trans.__('Files')}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <li
          role="none"
          className="jp-perijove-filler"
          style={{ height: virtualizer.getTotalSize() }}
        />
        {virtualizer.getVirtualItems().map(({ index, start }) => {
          const line = lines[index];
          return (
            <Line
              key={line.file?.path ?? `more ${line.more}`}
              line={line}
              top={start}
              open={line.file ? Boolean(open[line.file.path]) : false}
              selected={line.file?.path === chosen}
              url={props.url}
              trans={trans}
              onAct={() => act(line)}
            />
          );
        })}
      </ul>
      {error && (
        <p className="jp-perijove-error" role="alert">
          {error}
        </p>
      )}
      {file && !file.is_dir ? (
        <Preview key={`${file.path} ${file.size}`} {...props} file={file} />
      ) : (
        <p className="jp-perijove-hint">{trans.__('Choose a file to look into it.')}</p>
      )}
    </div>
  );
}

function Line(props: {
  line: ILine;
  top: number;
  open: boolean;
  selected: boolean;
  url: IArtifactsProps['url'];
  trans: TranslationBundle;
  onAct(): void;
}): React.ReactElement {
  const { line, trans } = props;
  const { file } = line;
  const name = file?.path.split('/').pop() ?? '';
  const caret = props.open ? caretDownIcon : caretRightIcon;
  const kind = file?.is_dir ? folderIcon : fileIcon;
  return (
    <li
      role="treeitem"
      aria-level={line.depth + 1}
      aria-selected={props.selected}
      aria-expanded={file?.is_dir ? props.open : undefined}
      className={props.selected ? 'jp-mod-selected' : ''}
      style={{ transform: `translateY(${props.top}px)`, paddingLeft: 8 + 14 * line.depth }}
      onClick={props.onAct}
    >
      <span className="jp-perijove-caret">
        {file?.is_dir && <caret.react tag="span" width="14px" height="14px" />}
      </span>
      {file && <kind.react tag="span" className="jp-perijove-caret" width="14px" height="14px" />}
      <span className="jp-perijove-link" title={name}>
        {file ? name : trans.__('Show more…')}
      </span>
      {file && !file.is_dir && (
        <>
          <span className="jp-perijove-size">{bytes(file.size ?? 0)}</span>
          <a
            href={props.url(file.path, true)}
            download={name}
            tabIndex={-1}
            title={trans.__('Download %1', name)}
            aria-label={trans.__('Download %1', name)}
            onClick={event => event.stopPropagation()}
          >
            <downloadIcon.react tag="span" width="14px" height="14px" />
          </a>
        </>
      )}
    </li>
  );
}

function Preview(props: IArtifactsProps & { file: Artifact }): React.ReactElement {
  const { file, trans } = props;
  const [shown, setShown] = React.useState<ArtifactPreview | null>(null);
  const [error, setError] = React.useState<string | null>(null);
  React.useEffect(() => {
    let isLeft = false;
    props.preview(file.path).then(
      found => !isLeft && setShown(found),
      reason => !isLeft && setError(reason instanceof ApiError ? reason.text : String(reason))
    );
    return () => void (isLeft = true);
  }, []);
  if (error) {
    return (
      <p className="jp-perijove-hint" role="alert">
        {error}
      </p>
    );
  }
  if (!shown) {
    return <p className="jp-perijove-hint">{trans.__('Loading…')}</p>;
  }
  return (
    <div className="jp-perijove-preview-box">
      {(shown.truncated || (shown.message && shown.kind !== 'none')) && (
        <p className="jp-perijove-hint">
          {shown.message ?? trans.__('The beginning of it. Download it to have all.')}
        </p>
      )}
      <Content {...props} shown={shown} />
    </div>
  );
}

function Content(
  props: IArtifactsProps & { file: Artifact; shown: ArtifactPreview }
): React.ReactElement {
  const { shown, trans } = props;
  const text = shown.text ?? '';
  switch (shown.kind) {
    case 'image':
      return (
        <img className="jp-perijove-preview" src={props.url(shown.path, false)} alt={shown.path} />
      );
    case 'table':
      return <Table shown={shown} trans={trans} />;
    case 'markdown':
      return (
        <div className="jp-perijove-preview jp-mod-prose">
          <Markdown source={text} rendermime={props.rendermime} />
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
      return <pre className="jp-perijove-preview">{text}</pre>;
    default:
      return (
        <p className="jp-perijove-hint">
          {shown.message ?? trans.__('No preview. Download it to look inside.')}
        </p>
      );
  }
}

function Table(props: { shown: ArtifactPreview; trans: TranslationBundle }): React.ReactElement {
  const { columns, rows, total_rows: total } = props.shown;
  const shown = rows?.length ?? 0;
  return (
    <div className="jp-perijove-preview">
      <table className="jp-perijove-table">
        <thead>
          <tr>
            {columns?.map((name, index) => (
              <th key={index}>{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows?.map((row, index) => (
            <tr key={index}>
              {row.map((cell, at) => (
                <td key={at} className={cell !== null && isNumber(cell) ? 'jp-mod-number' : ''}>
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

function NotebookPreview(props: IArtifactsProps & { text: string }): React.ReactElement {
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
              <Markdown source={joined(cell.source)} rendermime={props.rendermime} />
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

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text));
}
