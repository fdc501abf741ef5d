/** What nodes have used in the last minutes: the hub tells of the past, then what is seen is added. */
import type { TargetNode, UsageSample } from '../api';

/** Milliseconds that are kept, and that are drawn at least. */
export const WINDOW = 15 * 60 * 1000;
const LEAST = 60 * 1000;
/** Milliseconds without a sample after which the hub knows more than what is here. */
const GAP = 15 * 1000;

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

  /** Has nobody looked for a while? */
  isBehind(at: number): boolean {
    const { length } = this._totals;
    return !length || at - this._totals[length - 1].at > GAP;
  }

  /** Begin with what the hub knows of the past. */
  begin(past: readonly UsageSample[], at: number): void {
    this._samples.clear();
    this._totals = [];
    past.forEach(({ age, nodes }) => this._add(nodes, at - 1000 * age));
  }

  take(nodes: TargetNode[], at: number): void {
    this._nodes = nodes;
    const up = nodes.filter(node => node.state !== 'preparing' && node.state !== 'unusable');
    this._add(
      up.map(({ id, state, cpu_percent, memory_used }) => ({
        id,
        busy: state === 'running',
        cpu_percent: cpu_percent ?? 0,
        memory_used: memory_used ?? 0
      })),
      at
    );
  }

  private _add(up: UsageSample['nodes'], at: number): void {
    const samples = new Map<string, ISample[]>();
    for (const { id, cpu_percent: cpu, memory_used: memory } of up) {
      samples.set(id, [...recent(this.of(id), at), { at, cpu, memory }]);
    }
    this._samples = samples;
    const sum = (figure: (node: UsageSample['nodes'][number]) => number) =>
      up.reduce((total, node) => total + figure(node), 0);
    this._totals = [
      ...recent(this._totals, at),
      {
        at,
        up: up.length,
        busy: sum(node => Number(node.busy)),
        cpu: up.length ? sum(node => node.cpu_percent) / up.length : 0,
        memory: sum(node => node.memory_used)
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
