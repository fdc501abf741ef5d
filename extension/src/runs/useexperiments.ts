/** Experiments inside React, those that are put away too. */
import type { Experiment } from '../api';
import { useAnswer } from '../components/answer';
import { useSignal } from '../components/signal';
import type { ExperimentManager } from '../experiments/manager';

/** Those that are known, in the order asked for, and why one is not. */
export function useExperiments(
  manager: ExperimentManager,
  ids: readonly string[]
): [Experiment[], string | null] {
  useSignal(manager.changed);
  const missing = manager.isReady ? ids.filter(id => !manager.get(id)) : [];
  const [read, problem] = useAnswer(
    () => Promise.all(missing.map(id => manager.read(id))),
    [missing.join()],
    true
  );
  const found = ids.flatMap(id => manager.get(id) ?? read?.find(one => one.id === id) ?? []);
  return [found, problem];
}
