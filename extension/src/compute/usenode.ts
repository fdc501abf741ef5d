/** The node that a job runs on, inside React: what it uses, while somebody looks. */
import * as React from 'react';

import type { Job, TargetNode } from '../api';
import { Figures, type ISample } from './figures';
import type { ComputeManager } from './manager';

/** Milliseconds between two readings. */
const PERIOD = 2000;

export interface INodeUse {
  node: TargetNode;
  samples: readonly ISample[];
  /** Milliseconds that there is something to draw of. */
  span: number;
}

/** What the job's node has used in the last minutes; null: it is on none, or not looked at. */
export function useNode(
  manager: ComputeManager,
  job: Job | undefined,
  shown: boolean
): INodeUse | null {
  const [use, setUse] = React.useState<INodeUse | null>(null);
  const id = job?.id;
  const name = job?.compute;
  React.useEffect(() => {
    if (!id || !name || !shown) {
      setUse(null);
      return;
    }
    const figures = new Figures();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLeft = false;
    const read = async () => {
      try {
        figures.take(await manager.nodes(name), Date.now());
      } catch {
        // it is being deleted, or the hub is away: the figures stay as they are
      }
      if (!isLeft) {
        const node = figures.nodes.find(one => one.jobs?.includes(id));
        setUse(node ? { node, samples: figures.of(node.id), span: figures.span } : null);
        timer = setTimeout(() => void read(), PERIOD);
      }
    };
    void read();
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, [manager, id, name, shown]);
  return use;
}
