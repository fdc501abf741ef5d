/** The metrics of a job's run, a chart each. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Lines } from '../components/lines';
import { figure } from './format';
import type { NotebookModel } from './notebook';

export function MetricsView(props: {
  model: NotebookModel;
  active: boolean;
  theme: string;
  trans: TranslationBundle;
}): React.ReactElement {
  const { model, trans } = props;
  const keys = [...model.metrics.keys()].sort();
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
        const last = points[points.length - 1];
        return (
          <figure key={key}>
            <figcaption>
              <span title={key}>{key}</span>
              <b>{figure(last.value)}</b>
            </figcaption>
            {points.length > 1 && (
              <Lines
                title={trans.__('%1 by step', key)}
                lines={[
                  {
                    label: key,
                    index: 0,
                    xs: points.map(point => point.step),
                    ys: points.map(({ value }) => (Number.isFinite(value) ? value : null))
                  }
                ]}
                version={points.length}
                theme={props.theme}
                height={150}
                describe={x => trans.__('step %1', Math.round(x))}
                format={figure}
              />
            )}
          </figure>
        );
      })}
    </div>
  );
}
