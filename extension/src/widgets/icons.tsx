/** Stands in for JupyterLab's components in the bundle: of these, what widgets draw is icons. */
import * as React from 'react';

import closeSvg from '@jupyterlab/ui-components/style/icons/toolbar/close.svg';
import refreshSvg from '@jupyterlab/ui-components/style/icons/toolbar/refresh.svg';
import runSvg from '@jupyterlab/ui-components/style/icons/toolbar/run.svg';
import stopSvg from '@jupyterlab/ui-components/style/icons/toolbar/stop.svg';

interface IIconProps {
  className?: string;
  width?: string;
  height?: string;
}

export class LabIcon {
  constructor(readonly options: { name: string; svgstr: string }) {}

  readonly react = ({ className, width, height }: IIconProps): React.ReactElement => (
    <span
      className={`jp-perijove-icon ${className ?? ''}`}
      style={{ width, height }}
      dangerouslySetInnerHTML={{ __html: this.options.svgstr }}
    />
  );
}

const icon = (name: string, svgstr: string) => new LabIcon({ name, svgstr });

export const closeIcon = icon('close', closeSvg);
export const refreshIcon = icon('refresh', refreshSvg);
export const runIcon = icon('run', runSvg);
export const stopIcon = icon('stop', stopSvg);
