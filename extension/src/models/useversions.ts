/** The versions of the models that are unfolded in the panel, read anew when they change. */
import * as React from 'react';

import type { ModelVersion } from '../api';
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
  const open = React.useRef(found);
  open.current = found;
  const read = async (name: string) => {
    // what cannot be read now is folded: the list itself says what is wrong
    const versions = await manager.versions(name).catch(() => undefined);
    setFound(known => (known.has(name) ? changed(known, name, versions) : known));
  };
  React.useEffect(() => {
    const onChange = (_: ModelManager, name: string | null) =>
      [...open.current.keys()].filter(key => name === null || key === name).forEach(read);
    manager.modelChanged.connect(onChange);
    return () => void manager.modelChanged.disconnect(onChange);
  }, [manager]);
  return {
    of: name => found.get(name),
    fold: (name, isOpen) => {
      setFound(known => changed(known, name, isOpen ? (known.get(name) ?? null) : undefined));
      if (isOpen) {
        void read(name);
      }
    }
  };
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
