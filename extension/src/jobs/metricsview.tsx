/** The metrics of a job's run, a chart each, over those of the run before it. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunRow } from '../api';
import { Lines, type ILine } from '../components/lines';
import { Link } from '../components/link';
import { metricText } from '../runs/format';
import type { RunManager } from '../runs/manager';
import { drawable } from '../runs/points';
import { useHistory } from '../runs/usehistory';
import { figure } from './format';
import type { NotebookModel } from './notebook';

/** Points asked for of the run before, and pixels. */
const MOST = 300;
const HEIGHT = 150;

export function MetricsView(props: {
  model: NotebookModel;
  /** The run to compare with. */
  before: RunRow | undefined;
  /** Charts that there is room for; without this, one for each metric. */
  most?: number;
  onMore?(): void;
  runs: RunManager;
  active: boolean;
  shown: boolean;
  theme: string;
  trans: TranslationBundle;
}): React.ReactElement {
  const { model, before, trans } = props;
  const all = metricKeys(model);
  const keys = all.slice(0, props.most);
  const history = useHistory(
    props.runs,
    {
      runIds: before ? [before.run_id] : [],
      keys,
      maxPoints: MOST,
      axis: 'step',
      range: null
    },
    props.shown
  );
  if (!keys.length) {
    return (
      <p className="jp-perijove-hint">
        {props.active
          ? trans.__('What the notebook logs with mlflow.log_metric is drawn here as it comes.')
          : trans.__('No metrics were logged.')}
      </p>
    );
  }
  return (
    <div className="jp-perijove-metrics">
      {keys.map(key => {
        const points = model.metrics.get(key)!;
        const lines: ILine[] = [
          {
            label: key,
            index: 0,
            xs: points.map(point => point.step),
            ys: points.map(({ value }) => (Number.isFinite(value) ? value : null))
          }
        ];
        const past = before && history.get(before.run_id, key);
        if (past && past.steps.length > 1 && points.length > 1) {
          lines.unshift({
            label: before.name,
            index: 0,
            xs: past.steps,
            ys: drawable(past),
            past: true
          });
        }
        return (
          <figure key={key}>
            <figcaption>
              <span title={key}>{key}</span>
              {past && before && (
                <small title={trans.__('%1, the run before: dashed', before.name)}>
                  {trans.__('before %1', metricText(before.metrics?.[key]))}
                </small>
              )}
              <b>{figure(points[points.length - 1].value)}</b>
            </figcaption>
            {points.length > 1 && (
              <Lines
                title={trans.__('%1 by step', key)}
                lines={lines}
                version={`${points.length} ${history.version}`}
                theme={props.theme}
                height={HEIGHT}
                describe={x => trans.__('step %1', Math.round(x))}
                format={figure}
              />
            )}
          </figure>
        );
      })}
      {all.length > keys.length && props.onMore && (
        <Link onOpen={props.onMore}>
          {trans._n('%1 more metric', '%1 more metrics', all.length - keys.length)}
        </Link>
      )}
    </div>
  );
}

/** What the notebook logged, by name; the machine's own figures after it. */
export function metricKeys(model: NotebookModel): string[] {
  const isSystem = (key: string) => Number(key.startsWith('system/'));
  return [...model.metrics.keys()].sort((a, b) => isSystem(a) - isSystem(b) || (a < b ? -1 : 1));
}
