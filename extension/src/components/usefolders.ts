/** Folders of files inside React: each is read when it is opened, and again when files may have come. */
import * as React from 'react';

import { Reading, type Artifact, type ArtifactPage } from '../api';

export interface IFolder {
  entries: readonly Artifact[];
  /** What the next of them begin after; null: these are all. */
  next: string | null;
}

export interface IFolders {
  /** Undefined: it was not read yet. */
  of(path: string): IFolder | undefined;
  isOpen(path: string): boolean;
  /** Open it or close it. */
  fold(path: string): void;
  /** Read further entries. */
  more(path: string): void;
  /** Why something could not be read last. */
  error: string | null;
}

/** The folder of path '' is open from the beginning. With another `version` the open ones are read anew. */
export function useFolders(
  load: (path: string, page?: string) => Promise<ArtifactPage>,
  version: number | string
): IFolders {
  const [folders, setFolders] = React.useState<Readonly<Record<string, IFolder>>>({});
  const [open, setOpen] = React.useState<Readonly<Record<string, boolean>>>({ '': true });
  const [error, setError] = React.useState<string | null>(null);
  const readings = React.useRef(new Map<string, Reading<ArtifactPage>>());
  const loading = React.useRef(load);
  loading.current = load;
  React.useEffect(() => () => readings.current.forEach(reading => reading.dispose()), []);

  const read = (path: string, page?: string) => {
    const key = JSON.stringify([path, page]);
    let reading = readings.current.get(key);
    if (!reading) {
      const take = ({ entries, next = null }: ArtifactPage) => {
        setError(null);
        setFolders(known => ({
          ...known,
          [path]: { entries: page ? [...(known[path]?.entries ?? []), ...entries] : entries, next }
        }));
      };
      reading = new Reading(
        () => loading.current(path, page),
        take,
        reason => setError(reason.text)
      );
      readings.current.set(key, reading);
    }
    void reading.now();
  };
  React.useEffect(() => {
    Object.keys(open).forEach(path => open[path] && read(path));
  }, [version]);

  return {
    of: path => folders[path],
    isOpen: path => Boolean(open[path]),
    fold: path => {
      setOpen({ ...open, [path]: !open[path] });
      if (!open[path] && !folders[path]) {
        read(path);
      }
    },
    more: path => read(path, folders[path]?.next ?? undefined),
    error
  };
}
