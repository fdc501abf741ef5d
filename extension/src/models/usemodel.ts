/** A registered model inside React: read again when it changes. */
import * as React from 'react';

import { Reading, type ModelVersion, type RegisteredModel } from '../api';
import type { ModelManager } from './manager';

export interface IModelState {
  /** As it was read last; null: it was not yet. */
  model: RegisteredModel | null;
  /** Newest first. */
  versions: readonly ModelVersion[];
  /** Why it is not as MLflow has it now. */
  problem: string | null;
  isGone: boolean;
}

export function useModel(manager: ModelManager, name: string): IModelState {
  const [state, setState] = React.useState<IModelState>({
    model: null,
    versions: [],
    problem: null,
    isGone: false
  });
  React.useEffect(() => {
    const reading = new Reading(
      () => Promise.all([manager.read(name), manager.versions(name)]),
      ([model, versions]) => setState({ model, versions, problem: null, isGone: false }),
      error =>
        setState(known =>
          error.status === 404 ? { ...known, isGone: true } : { ...known, problem: error.text }
        )
    );
    const slot = (_: unknown, changed: string | null) => {
      if (changed === null || changed === name) {
        void reading.now();
      }
    };
    manager.modelChanged.connect(slot);
    void reading.now();
    return () => {
      reading.dispose();
      manager.modelChanged.disconnect(slot);
    };
  }, [manager, name]);
  return state;
}
