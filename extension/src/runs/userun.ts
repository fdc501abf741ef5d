/** Runs inside React: read when they change, and again by themselves while MLflow is away. */
import * as React from 'react';

import { ApiError, asApiError, type Run, type TrackingChange } from '../api';
import { concerns, type RunManager } from './manager';

/** Milliseconds: between two readings, and before another try. */
const PAUSE = { again: 800, retry: 3000 };

export interface IRuns {
  /** In the order asked for; those that are not there are left out. */
  runs: Run[];
  /** Those that are gone for good. */
  gone: string[];
  error: ApiError | null;
  isReady: boolean;
}

/** The runs as MLflow has them now. What is not `shown` is read when it is again. */
export function useRuns(manager: RunManager, runIds: readonly string[], shown = true): IRuns {
  const [found, setFound] = React.useState<Map<string, Run | null>>(() => new Map());
  const [error, setError] = React.useState<ApiError | null>(null);
  const wanted = runIds.join();
  const isShown = React.useRef(shown);
  const outdated = React.useRef(new Set<string>());
  const wake = React.useRef<() => void>(() => undefined);
  React.useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLeft = false;
    const later = (milliseconds: number) => {
      timer = timer ?? setTimeout(() => void read(), milliseconds);
    };
    const read = async () => {
      timer = undefined;
      const ids = [...outdated.current];
      outdated.current.clear();
      let failed: ApiError | null = null;
      const told = await Promise.all(
        ids.map(async (id): Promise<[string, Run | null] | null> => {
          try {
            return [id, await manager.get(id)];
          } catch (reason) {
            if (reason instanceof ApiError && reason.status === 404) {
              return [id, null];
            }
            failed = asApiError(reason);
            outdated.current.add(id);
            return null;
          }
        })
      );
      if (!isLeft) {
        setFound(known => new Map([...known, ...told.filter(one => one !== null)]));
        setError(failed);
        if (failed) {
          later(PAUSE.retry);
        }
      }
    };
    const onTracking = (_: RunManager, change: TrackingChange) => {
      if (concerns(change, [], runIds)) {
        const ids = change.everything ? runIds : runIds.filter(id => change.runs?.includes(id));
        ids.forEach(id => outdated.current.add(id));
        if (isShown.current) {
          later(PAUSE.again);
        }
      }
    };
    wake.current = () => outdated.current.size && later(0);
    manager.changed.connect(onTracking);
    runIds.forEach(id => outdated.current.add(id));
    void read();
    return () => {
      isLeft = true;
      clearTimeout(timer);
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
