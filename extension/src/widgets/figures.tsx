/** The workspace in a few figures. */
import * as React from 'react';

import { useTrait } from './model';

interface IFigure {
  label: string;
  value: string;
  tone: string;
}

export function Figures(): React.ReactElement {
  const [{ figures }] = useTrait<{ figures: IFigure[] }>('data');
  return (
    <div className="jp-perijove-figures">
      {figures.map(({ label, value, tone }) => (
        <div key={label} className={tone && value !== '0' ? `jp-mod-${tone}` : undefined}>
          <b>{value}</b>
          <span>{label}</span>
        </div>
      ))}
    </div>
  );
}
