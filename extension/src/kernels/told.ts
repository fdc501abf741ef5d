/** Whether kernelspecs are up to date. */
import { KernelSpec } from '@jupyterlab/services';

import type { Target } from '../api';
import { isMachine } from '../compute/manager';
import { placeOf } from './place';

/**
 * Do the kernelspecs say of the instances what they are? The hub writes them a moment after a change.
 * `known` are the names of all targets there ever were: of those that are gone there shall be none.
 */
export function isTold(
  specs: KernelSpec.ISpecModels | null,
  targets: readonly Target[],
  known: ReadonlySet<string>
): boolean {
  const told = new Map<string, string | undefined>();
  for (const spec of Object.values(specs?.kernelspecs ?? {})) {
    const place = placeOf(spec);
    if (place) {
      told.set(place.instance, place.state);
    }
  }
  const isPassing = ({ state }: Target) => state === 'creating' || state === 'deleting';
  const there = new Set(targets.map(({ name }) => name));
  return (
    targets.every(
      target => !isMachine(target) || isPassing(target) || told.get(target.name) === target.state
    ) && [...known].every(name => there.has(name) || !told.has(name))
  );
}
