/** How a target is at a glance: charts of the last minutes, what it was made as, what it is now. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Target } from '../api';
import { Course } from '../components/course';
import { Figures, type ITotal } from './figures';
import { memoryText, percent } from './format';
import { isMachine, isManaged } from './manager';
import { Properties } from './properties';

const HEIGHT = 72;

interface IOverviewProps {
  target: Target;
  figures: Figures;
  trans: TranslationBundle;
}

export function Overview(props: IOverviewProps): React.ReactElement {
  const { target, figures, trans } = props;
  return (
    <>
      {figures.totals.some(total => total.up) && <Charts {...props} />}
      <Properties target={target} trans={trans} />
    </>
  );
}

function Charts({ target, figures, trans }: IOverviewProps): React.ReactElement {
  const { totals, nodes } = figures;
  const last = totals[totals.length - 1];
  const room = nodes.reduce((sum, node) => sum + (node.memory ?? 0), 0);
  const charts: [keyof ITotal, string, string, number][] = [
    ['cpu', trans.__('CPU'), percent(last.cpu), 100],
    ['memory', trans.__('Memory'), memoryText(last.memory, room), room]
  ];
  if (isManaged(target) && !isMachine(target)) {
    const busy = trans.__('%1 of %2', last.busy, last.up);
    charts.unshift(['busy', trans.__('Busy nodes'), busy, target.max_nodes]);
  }
  return (
    <div className="jp-perijove-metrics jp-mod-few">
      {charts.map(([key, label, value, max]) => (
        <Course
          key={key}
          name={label}
          value={value}
          points={totals.map(total => [total.at, total[key]] as const)}
          span={figures.span}
          max={max}
          height={HEIGHT}
          label={trans.__('%1 in the last minutes, now %2', label, value)}
        />
      ))}
    </div>
  );
}
