/** One value of each of several runs: bars say more than points above each other. */
import * as React from 'react';

import { lineColor } from './swatch';

export interface IBar {
  label: string;
  /** Which colour it has. */
  index: number;
  value: number;
}

export function Bars(props: {
  title: string;
  bars: readonly IBar[];
  format(value: number): string;
}): React.ReactElement {
  const most = Math.max(...props.bars.map(({ value }) => Math.abs(value)), 0);
  return (
    <ul className="jp-perijove-bars" aria-label={props.title}>
      {props.bars.map(({ label, index, value }) => (
        <li key={index} title={label}>
          <span>
            <bdi>{label}</bdi>
          </span>
          <i>
            <i
              style={{
                width: `${most ? (100 * Math.abs(value)) / most : 0}%`,
                background: lineColor(index)
              }}
            />
          </i>
          <b>{props.format(value)}</b>
        </li>
      ))}
    </ul>
  );
}
