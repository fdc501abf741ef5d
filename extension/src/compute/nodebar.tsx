/** Nodes busy, idle, on their way and still allowed, as a small bar of cells. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Target } from '../api';
import { isManaged, isOff } from './manager';

/** More cells than this would be too thin to count: a solid bar has the proportions. */
const CELLS = 12;

interface ICounts {
  busy: number;
  idle: number;
  coming: number;
  free: number;
}

/** How many nodes (slots, for this machine) are in which condition. */
export function counts(target: Target): ICounts {
  if (!isManaged(target)) {
    const busy = Math.min(target.running_jobs, target.slots);
    return { busy, idle: target.slots - busy, coming: 0, free: 0 };
  }
  const { busy_nodes: busy, current_nodes: up, target_nodes: wanted, max_nodes: most } = target;
  const coming = isOff(target) ? 0 : Math.max(0, wanted - up);
  return { busy, idle: Math.max(0, up - busy), coming, free: Math.max(0, most - up - coming) };
}

export function NodeBar(props: { target: Target; trans: TranslationBundle }): React.ReactElement {
  const { target, trans } = props;
  const found = counts(target);
  const total = found.busy + found.idle + found.coming + found.free;
  const label = isManaged(target)
    ? trans.__(
        '%1 busy, %2 idle, %3 starting, at most %4 nodes',
        found.busy,
        found.idle,
        found.coming,
        target.max_nodes
      )
    : trans.__('%1 of %2 slots busy', found.busy, target.slots);
  const parts = Object.entries(found).filter(([, count]) => count > 0);
  const isSolid = total > CELLS;
  return (
    <span
      className={`jp-perijove-nodes${isSolid ? ' jp-mod-solid' : ''}`}
      role="img"
      aria-label={label}
      title={label}
    >
      {isSolid
        ? parts.map(([kind, count]) => (
            <i key={kind} className={`jp-mod-${kind}`} style={{ flexGrow: count }} />
          ))
        : parts.flatMap(([kind, count]) =>
            Array.from({ length: count }, (_, at) => (
              <i key={`${kind}${at}`} className={`jp-mod-${kind}`} />
            ))
          )}
    </span>
  );
}
