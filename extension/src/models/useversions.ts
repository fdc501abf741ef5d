/** The versions of the models that are unfolded in the panel, read anew when they change. */
import * as React from 'react';

import { Reading, type ModelVersion } from '../api';
import type { ModelManager } from './manager';

export interface IVersions {
  /** Newest first; null: they are being read; undefined: the model is folded. */
  of(name: string): readonly ModelVersion[] | null | undefined;
  fold(name: string, open: boolean): void;
}

export function useVersions(manager: ModelManager): IVersions {
  const [found, setFound] = React.useState<ReadonlyMap<string, readonly ModelVersion[] | null>>(
    () => new Map()
  );
  // of those that are unfolded
  const readings = React.useRef(new Map<string, Reading<readonly ModelVersion[]>>());
  const read = (name: string) => {
    const { current } = readings;
    const reading =
      current.get(name) ??
      new Reading<readonly ModelVersion[]>(
        () => manager.versions(name),
        versions => setFound(known => changed(known, name, versions)),
        // of what cannot be read now, the list itself says what is wrong
        error => error.isPassing || fold(name, false)
      );
    current.set(name, reading);
    void reading.now();
  };
  const fold = (name: string, isOpen: boolean) => {
    setFound(known => changed(known, name, isOpen ? (known.get(name) ?? null) : undefined));
    if (isOpen) {
      read(name);
    } else {
      readings.current.get(name)?.dispose();
      readings.current.delete(name);
    }
  };
  React.useEffect(() => () => readings.current.forEach(reading => reading.dispose()), []);
  React.useEffect(() => {
    const onChange = (_: ModelManager, name: string | null) =>
      [...readings.current.keys()].filter(key => name === null || key === name).forEach(read);
    manager.modelChanged.connect(onChange);
    return () => void manager.modelChanged.disconnect(onChange);
  }, [manager]);
  return { of: name => found.get(name), fold };
}

function changed<T>(known: ReadonlyMap<string, T>, key: string, value: T | undefined) {
  const next = new Map(known);
  if (value === undefined) {
    next.delete(key);
  } else {
    next.set(key, value);
  }
  return next;
}
