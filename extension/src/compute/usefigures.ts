/** What a target's nodes use, inside React, while somebody looks. */
import * as React from 'react';

import type { Job, TargetNode } from '../api';
import { repeated } from '../components/repeated';
import { Figures, type ISample } from './figures';
import { hasNodes, type ComputeManager } from './manager';

/** Milliseconds between two readings. */
const PERIOD = 2000;

/**
 * Read the figures of a target: now, whenever its nodes come or are gone, and over and over while it
 * has some. Returns what ends it.
 */
export function follow(
  manager: ComputeManager,
  name: string,
  figures: Figures,
  heard: () => void
): () => void {
  let had: boolean | undefined;
  let stop = () => {};
  const read = (again: boolean) => async (isLeft: () => boolean) => {
    let failed = false;
    try {
      if (figures.isBehind(Date.now())) {
        figures.begin(await manager.usage(name), Date.now());
      }
      figures.take(await manager.nodes(name), Date.now());
    } catch {
      failed = true; // the hub is away: the figures stay as they are
    }
    if (!isLeft()) {
      heard();
    }
    return again || failed;
  };
  const look = () => {
    const target = manager.get(name);
    const has = target && hasNodes(target);
    if (has !== had) {
      had = has;
      stop();
      stop = has === undefined ? () => {} : repeated(read(has), PERIOD);
    }
  };
  manager.changed.connect(look);
  look();
  return () => {
    manager.changed.disconnect(look);
    stop();
  };
}

/** The figures of the target of this name; none of no name. */
export function useFigures(
  manager: ComputeManager,
  name: string | undefined,
  shown: boolean
): Figures {
  const figures = React.useMemo(() => new Figures(), [name]);
  const [, heard] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(
    () => (name && shown ? follow(manager, name, figures, heard) : undefined),
    [manager, name, shown, figures]
  );
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
