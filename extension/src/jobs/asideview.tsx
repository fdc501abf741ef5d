/** Beside the notebook of a job: its metrics, the node it runs on, and the runs before it. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunRow } from '../api';
import { Course } from '../components/course';
import { memoryText, percent } from '../compute/format';
import type { INodeUse } from '../compute/usefigures';
import { LastRuns } from './lastruns';

const HEIGHT = 48;

export function AsideView(props: {
  metrics: React.ReactNode;
  metric: string | undefined;
  use: INodeUse | null;
  runs: readonly RunRow[];
  trans: TranslationBundle;
  onOpen(run: RunRow): void;
}): React.ReactElement | null {
  const { metrics, use, runs, trans } = props;
  if (!metrics && !use && runs.length < 2) {
    return null;
  }
  return (
    <aside aria-label={trans.__('About the run')}>
      {metrics && (
        <section>
          <h2>{trans.__('Metrics')}</h2>
          {metrics}
        </section>
      )}
      {use && (
        <section>
          <h2>
            {trans.__('Node')} <span>{use.node.id}</span>
          </h2>
          <NodeUse use={use} trans={trans} />
        </section>
      )}
      {runs.length > 1 && (
        <section>
          <h2>{trans.__('Against the last runs')}</h2>
          <LastRuns runs={runs} metric={props.metric} trans={trans} onOpen={props.onOpen} />
        </section>
      )}
    </aside>
  );
}

function NodeUse({ use, trans }: { use: INodeUse; trans: TranslationBundle }): React.ReactElement {
  const { node, samples, span } = use;
  const room = node.memory ?? 0;
  const figures = [
    { key: 'cpu', label: trans.__('CPU'), value: percent(node.cpu_percent ?? 0), max: 100 },
    {
      key: 'memory',
      label: trans.__('Memory'),
      value: memoryText(node.memory_used ?? 0, room),
      max: room
    }
  ] as const;
  return (
    <div className="jp-perijove-metrics jp-mod-few">
      {figures.map(({ key, label, value, max }) => (
        <Course
          key={key}
          name={label}
          value={value}
          points={samples.map(sample => [sample.at, sample[key]] as const)}
          span={span}
          max={max}
          height={HEIGHT}
          label={trans.__('%1 of node %2', label, node.id)}
        />
      ))}
    </div>
  );
}
