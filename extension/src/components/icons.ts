/** Our icons; everything else is JupyterLab's. */
import { LabIcon } from '@jupyterlab/ui-components';

import attachedSvg from '../../style/icons/attached.svg';
import clusterSvg from '../../style/icons/cluster.svg';
import compareSvg from '../../style/icons/compare.svg';
import instanceSvg from '../../style/icons/instance.svg';
import machineSvg from '../../style/icons/machine.svg';
import modelSvg from '../../style/icons/model.svg';
import perijoveSvg from '../../style/icons/perijove.svg';
import runSvg from '../../style/icons/run.svg';

export const perijoveIcon = new LabIcon({ name: 'perijove:perijove', svgstr: perijoveSvg });
export const attachedIcon = new LabIcon({ name: 'perijove:attached', svgstr: attachedSvg });
export const clusterIcon = new LabIcon({ name: 'perijove:cluster', svgstr: clusterSvg });
export const compareIcon = new LabIcon({ name: 'perijove:compare', svgstr: compareSvg });
export const instanceIcon = new LabIcon({ name: 'perijove:instance', svgstr: instanceSvg });
export const machineIcon = new LabIcon({ name: 'perijove:machine', svgstr: machineSvg });
export const modelIcon = new LabIcon({ name: 'perijove:model', svgstr: modelSvg });
export const runIcon = new LabIcon({ name: 'perijove:run', svgstr: runSvg });

/** The icon of a kind of compute target; a plug-in's kinds have the product's. */
export function kindIcon(kind: string): LabIcon {
  switch (kind) {
    case 'local':
      return machineIcon;
    case 'cluster':
      return clusterIcon;
    case 'instance':
      return instanceIcon;
    case 'attached':
      return attachedIcon;
    default:
      return perijoveIcon;
  }
}
