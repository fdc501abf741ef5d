/** Files in folders with a look into each; folders are read when they are opened. */
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

import type { Artifact, ArtifactPage } from '../api';
import { LoadingLine } from './loading';
import { Preview, type IPreviewProps } from './preview';
import { bytes } from './size';
import { useFolders } from './usefolders';

export interface IArtifactsProps extends IPreviewProps {
  load(path: string, page?: string): Promise<ArtifactPage>;
  /** Changes when files may have come: the open folders are read anew. */
  version: number | string;
  /** What is said where there are none. */
  empty: string;
}

interface ILine {
  depth: number;
  file?: Artifact;
  /** The folder whose other entries can be asked for. */
  more?: string;
}

/** Pixels. */
const LINE = 24;

export function Artifacts(props: IArtifactsProps): React.ReactElement {
  const { trans } = props;
  const folders = useFolders(props.load, props.version);
  const [chosen, setChosen] = React.useState<string | null>(null);
  const scroller = React.useRef<HTMLUListElement>(null);
  // a folder that is opened does not hide what was looked into
  const last = React.useRef<Artifact | null>(null);
  const prefix = React.useId();

  const lines: ILine[] = [];
  const walk = (path: string, depth: number) => {
    const folder = folders.of(path);
    for (const file of folder?.entries ?? []) {
      lines.push({ depth, file });
      if (file.is_dir && folders.isOpen(file.path)) {
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

  const at = lines.findIndex(line => keyOf(line) === chosen);
  const go = (to: number) => {
    const place = Math.max(0, Math.min(lines.length - 1, to));
    setChosen(keyOf(lines[place]));
    virtualizer.scrollToIndex(place);
  };
  const act = (line: ILine) => {
    setChosen(keyOf(line));
    if (line.more !== undefined) {
      folders.more(line.more);
    } else if (line.file?.is_dir) {
      folders.fold(line.file.path);
    }
  };
  /** Open a folder or close it; a file's own is gone to. */
  const fold = (wanted: boolean) => {
    const { file, depth } = lines[at];
    if (file?.is_dir && folders.isOpen(file.path) !== wanted) {
      act(lines[at]);
    } else if (!wanted && depth) {
      go(
        lines
          .slice(0, at)
          .map(line => line.depth)
          .lastIndexOf(depth - 1)
      );
    } else if (wanted && file?.is_dir) {
      go(at + 1);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(lines.length - 1),
      ...(at < 0
        ? {}
        : {
            ArrowRight: () => fold(true),
            ArrowLeft: () => fold(false),
            Enter: () => act(lines[at]),
            ' ': () => act(lines[at])
          })
    };
    if (keys[event.key] && !(event.ctrlKey || event.metaKey || event.altKey)) {
      event.preventDefault();
      keys[event.key]();
    }
  };

  const { error } = folders;
  if (error && !folders.of('')) {
    return (
      <p className="jp-perijove-hint" role="alert">
        {error}
      </p>
    );
  }
  if (!folders.of('')) {
    return <LoadingLine trans={trans} />;
  }
  if (!lines.length) {
    return <p className="jp-perijove-hint">{props.empty}</p>;
  }
  const selected = lines[at]?.file;
  const file = (last.current = selected && !selected.is_dir ? selected : last.current);
  // a path may hold what an id may not
  const idOf = (line: ILine) => `${prefix}${encodeURIComponent(keyOf(line))}`;
  return (
    <div className="jp-perijove-files">
      <ul
        ref={scroller}
        role="tree"
        aria-label={trans.__('Files')}
        tabIndex={0}
        aria-activedescendant={at < 0 ? undefined : idOf(lines[at])}
        onKeyDown={onKeyDown}
        onFocus={event => {
          // whoever comes by keyboard sees where they are
          if (at < 0 && event.target.matches(':focus-visible')) {
            go(0);
          }
        }}
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
              key={keyOf(line)}
              id={idOf(line)}
              line={line}
              top={start}
              open={line.file ? folders.isOpen(line.file.path) : false}
              selected={index === at}
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
      {file ? (
        <Preview key={`${file.path} ${file.size}`} {...props} file={file} />
      ) : (
        <p className="jp-perijove-hint">{trans.__('Choose a file to look into it.')}</p>
      )}
    </div>
  );
}

/** No path ends with a slash. */
function keyOf({ file, more }: ILine): string {
  return file?.path ?? `${more}/`;
}

function Line(props: {
  id: string;
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
      id={props.id}
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
          <span className="jp-perijove-size">
            {file.size === null ? '' : bytes(file.size ?? 0)}
          </span>
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
