/** How charts are drawn: the axis, its scale, smoothing, and which metrics. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Select } from '../components/select';
import type { Axis } from '../components/axis';

export interface IChartLook {
  axis: Axis;
  log: boolean;
  /** 0 to 0.99. */
  smoothing: number;
  /** Words of the metrics' names. */
  filter: string;
}

export type ILookChange = Partial<IChartLook>;

export const DEFAULT_LOOK: IChartLook = { axis: 'step', log: false, smoothing: 0, filter: '' };

export function ChartControls(props: {
  look: IChartLook;
  /** Are there so many charts that one would search? */
  many: boolean;
  trans: TranslationBundle;
  children?: React.ReactNode;
  onChange(change: ILookChange): void;
}): React.ReactElement {
  const { look, trans, onChange } = props;
  return (
    <div className="jp-perijove-controls" role="toolbar" aria-label={trans.__('Charts')}>
      {props.many && (
        <input
          type="search"
          className="jp-mod-styled"
          placeholder={trans.__('Filter metrics')}
          aria-label={trans.__('Filter metrics')}
          value={look.filter}
          onChange={event => onChange({ filter: event.target.value })}
        />
      )}
      <label>
        {trans.__('Axis')}
        <Select
          value={look.axis}
          onChange={event => onChange({ axis: event.target.value as Axis })}
        >
          <option value="step">{trans.__('step')}</option>
          <option value="time">{trans.__('time')}</option>
          <option value="relative">{trans.__('relative time')}</option>
        </Select>
      </label>
      <label>
        <input
          type="checkbox"
          checked={look.log}
          onChange={event => onChange({ log: event.target.checked })}
        />
        {trans.__('log')}
      </label>
      <label>
        {trans.__('Smoothing')}
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={look.smoothing}
          onChange={event => onChange({ smoothing: Number(event.target.value) })}
        />
      </label>
      {props.children}
    </div>
  );
}
