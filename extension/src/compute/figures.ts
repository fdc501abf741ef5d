/** What nodes have said of themselves in the last minutes: kept here, for as long as it is looked at. */
import type { TargetNode } from '../api';

/** Milliseconds that are kept, and that are drawn at least. */
export const WINDOW = 5 * 60 * 1000;
const LEAST = 60 * 1000;

export interface ISample {
  at: number;
  cpu: number;
  memory: number;
}

export interface ITotal extends ISample {
  /** Nodes that are up, and those of them that run something. */
  up: number;
  busy: number;
}

export class Figures {
  /** The nodes as last heard. */
  get nodes(): readonly TargetNode[] {
    return this._nodes;
  }

  /** All nodes together: CPU on average, memory summed. */
  get totals(): readonly ITotal[] {
    return this._totals;
  }

  /** Milliseconds that there is something to draw of. */
  get span(): number {
    const { length } = this._totals;
    return length ? Math.max(LEAST, this._totals[length - 1].at - this._totals[0].at) : LEAST;
  }

  of(nodeId: string): readonly ISample[] {
    return this._samples.get(nodeId) ?? [];
  }

  take(nodes: TargetNode[], at: number): void {
    this._nodes = nodes;
    const up = nodes.filter(node => node.state !== 'preparing' && node.state !== 'unusable');
    const samples = new Map<string, ISample[]>();
    for (const node of up) {
      const sample = { at, cpu: node.cpu_percent ?? 0, memory: node.memory_used ?? 0 };
      samples.set(node.id, [...recent(this.of(node.id), at), sample]);
    }
    this._samples = samples;
    const sum = (figure: (node: TargetNode) => number) =>
      up.reduce((total, node) => total + figure(node), 0);
    this._totals = [
      ...recent(this._totals, at),
      {
        at,
        up: up.length,
        busy: sum(node => Number(node.state === 'running')),
        cpu: up.length ? sum(node => node.cpu_percent ?? 0) / up.length : 0,
        memory: sum(node => node.memory_used ?? 0)
      }
    ];
  }

  private _nodes: readonly TargetNode[] = [];
  private _samples = new Map<string, ISample[]>();
  private _totals: ITotal[] = [];
}

function recent<T extends ISample>(samples: readonly T[], now: number): T[] {
  return samples.filter(sample => sample.at > now - WINDOW);
}
