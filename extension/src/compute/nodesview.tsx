/** A target's nodes, each in a row. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Job, Target, TargetNode } from '../api';
import { useClock } from '../components/clock';
import { Spark } from '../components/spark';
import { Dot } from '../components/state';
import { duration } from '../jobs/format';
import { Figures } from './figures';
import { memoryText, nodeStateText, nodeTone, percent } from './format';
import { JobLink } from './jobsview';
import { isMachine, isOff } from './manager';

const HEIGHT = 20;

interface INodesProps {
  target: Target;
  figures: Figures;
  /** The target's jobs. */
  own: readonly Job[];
  commands: CommandRegistry;
  trans: TranslationBundle;
}

export function NodesView(props: INodesProps): React.ReactElement {
  const { target, figures, trans } = props;
  const { nodes } = figures;
  const now = useClock(nodes.length ? 1000 : 0);
  if (!nodes.length) {
    return (
      <p className="jp-perijove-hint">
        {isOff(target) || isMachine(target)
          ? trans.__('It has no nodes while it is not running.')
          : trans.__('It has no nodes now. They come as jobs wait, and leave when idle.')}
      </p>
    );
  }
  const hasGpus = nodes.some(node => node.gpus);
  return (
    <table className="jp-perijove-table">
      <thead>
        <tr>
          <th>{trans.__('Node')}</th>
          <th>{trans.__('State')}</th>
          <th>{trans.__('CPU')}</th>
          <th>{trans.__('Memory')}</th>
          {hasGpus && <th>{trans.__('GPUs')}</th>}
          <th>{trans.__('Jobs')}</th>
          <th>{trans.__('Up')}</th>
        </tr>
      </thead>
      <tbody>
        {nodes.map(node => (
          <NodeRow key={node.id} {...props} node={node} now={now} hasGpus={hasGpus} />
        ))}
      </tbody>
    </table>
  );
}

function NodeRow(
  props: INodesProps & { node: TargetNode; now: number; hasGpus: boolean }
): React.ReactElement {
  const { node, now, figures, own, trans } = props;
  const state = nodeStateText(node, trans);
  const samples = figures.of(node.id);
  const isUp = node.state !== 'preparing' && node.state !== 'unusable';
  const cell = (label: string, value: string, max: number, key: 'cpu' | 'memory') =>
    isUp ? (
      <div className="jp-perijove-figure">
        <Spark
          points={samples.map(sample => [sample.at, sample[key]] as const)}
          span={figures.span}
          max={max}
          height={HEIGHT}
          label={trans.__('%1 of node %2', label, node.id)}
        />
        <span>{value}</span>
      </div>
    ) : (
      <span className="jp-perijove-count">–</span>
    );
  const up = node.started_at ? (now - Date.parse(node.started_at)) / 1000 : null;
  return (
    <tr data-node={node.id} title={node.message ?? node.address ?? undefined}>
      <td>{node.id}</td>
      <td>
        <div className="jp-perijove-figure">
          <Dot tone={nodeTone(node)} label={state} />
          {state}
        </div>
      </td>
      <td>{cell(trans.__('CPU'), percent(node.cpu_percent ?? 0), 100, 'cpu')}</td>
      <td>
        {cell(
          trans.__('Memory'),
          memoryText(node.memory_used ?? 0, node.memory ?? 0),
          node.memory ?? 0,
          'memory'
        )}
      </td>
      {props.hasGpus && <td>{node.gpus}</td>}
      <td>
        {(node.jobs ?? []).map(id => (
          <JobLink
            key={id}
            jobId={id}
            name={own.find(job => job.id === id)?.name ?? id.slice(0, 8)}
            commands={props.commands}
          />
        ))}
      </td>
      <td className="jp-perijove-count">{up === null ? '' : duration(Math.max(0, up))}</td>
    </tr>
  );
}
