/** Runs inside React: read when they change, and again by themselves while MLflow is away. */
import * as React from 'react';

import { ApiError, Reading, type Run, type RunRow, type TrackingChange } from '../api';
import { concerns, type RunManager } from './manager';

/** Milliseconds between two readings while runs change. */
const PAUSE = 800;

export interface IRuns<T> {
  /** In the order asked for; those that are not there are left out. */
  runs: T[];
  /** Those that are gone for good. */
  gone: string[];
  error: ApiError | null;
  isReady: boolean;
}

/** All about a run as MLflow has it now. What is not `shown` is read when it is again. */
export function useRun(manager: RunManager, runId: string, shown: boolean): IRuns<Run> {
  const read = async () => {
    try {
      return [await manager.get(runId)];
    } catch (reason) {
      if (reason instanceof ApiError && reason.status === 404) {
        return [];
      }
      throw reason;
    }
  };
  return useRead(manager, [runId], shown, read);
}

/** Runs as MLflow has them now, without what only one of them shows. */
export function useRows(
  manager: RunManager,
  runIds: readonly string[],
  shown: boolean
): IRuns<RunRow> {
  return useRead(manager, runIds, shown, ids => manager.rows(ids));
}

/** `read` leaves out those that are not there. */
function useRead<T extends RunRow>(
  manager: RunManager,
  runIds: readonly string[],
  shown: boolean,
  read: (runIds: string[]) => Promise<T[]>
): IRuns<T> {
  const [found, setFound] = React.useState<Map<string, T | null>>(() => new Map());
  const [error, setError] = React.useState<ApiError | null>(null);
  const wanted = runIds.join();
  const isShown = React.useRef(shown);
  const outdated = React.useRef(new Set<string>());
  const wake = React.useRef<() => void>(() => undefined);
  React.useEffect(() => {
    const reading = new Reading(
      async () => {
        const ids = [...outdated.current];
        outdated.current.clear();
        try {
          const told = new Map((await read(ids)).map(run => [run.run_id, run]));
          return ids.map(id => [id, told.get(id) ?? null] as const);
        } catch (reason) {
          ids.forEach(id => outdated.current.add(id));
          throw reason;
        }
      },
      told => {
        setFound(known => new Map([...known, ...told]));
        setError(null);
      },
      setError
    );
    const onTracking = (_: RunManager, change: TrackingChange) => {
      if (concerns(change, [], runIds)) {
        const ids = change.everything ? runIds : runIds.filter(id => change.runs?.includes(id));
        ids.forEach(id => outdated.current.add(id));
        if (isShown.current) {
          reading.later(PAUSE);
        }
      }
    };
    wake.current = () => outdated.current.size && reading.later(0);
    manager.changed.connect(onTracking);
    runIds.forEach(id => outdated.current.add(id));
    void reading.now();
    return () => {
      reading.dispose();
      manager.changed.disconnect(onTracking);
    };
  }, [manager, wanted]);
  React.useEffect(() => {
    isShown.current = shown;
    if (shown) {
      wake.current();
    }
  }, [shown]);
  return React.useMemo(
    () => ({
      runs: runIds.flatMap(id => found.get(id) ?? []),
      gone: runIds.filter(id => found.get(id) === null),
      error,
      isReady: runIds.every(id => found.has(id))
    }),
    [found, error, wanted]
  );
}
