/** What a target's nodes use, inside React, while somebody looks. */
import * as React from 'react';

import type { Job, TargetNode } from '../api';
import { repeated } from '../components/repeated';
import { Figures, type ISample } from './figures';
import type { ComputeManager } from './manager';

/** Milliseconds between two readings. */
const PERIOD = 2000;

/** The figures of the target of this name; none of no name. */
export function useFigures(
  manager: ComputeManager,
  name: string | undefined,
  shown: boolean
): Figures {
  const figures = React.useMemo(() => new Figures(), [name]);
  const [, heard] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    if (!name || !shown) {
      return;
    }
    return repeated(async isLeft => {
      try {
        if (figures.isBehind(Date.now())) {
          figures.begin(await manager.usage(name), Date.now());
        }
        figures.take(await manager.nodes(name), Date.now());
      } catch {
        // it is being deleted, or the hub is away: the figures stay as they are
      }
      if (!isLeft()) {
        heard();
      }
      return true;
    }, PERIOD);
  }, [manager, name, shown, figures]);
  return figures;
}

export interface INodeUse {
  node: TargetNode;
  samples: readonly ISample[];
  /** Milliseconds that there is something to draw of. */
  span: number;
}

/** What the node that the job runs on has used in the last minutes; null: it is on none. */
export function useNode(
  manager: ComputeManager,
  job: Job | undefined,
  shown: boolean
): INodeUse | null {
  const figures = useFigures(manager, job?.compute, shown);
  const node = job && figures.nodes.find(one => one.jobs?.includes(job.id));
  return node && shown ? { node, samples: figures.of(node.id), span: figures.span } : null;
}
