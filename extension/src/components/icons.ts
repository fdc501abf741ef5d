/** Our icons; everything else is JupyterLab's. */
import { LabIcon } from '@jupyterlab/ui-components';

import perijoveSvg from '../../style/icons/perijove.svg';

export const perijoveIcon = new LabIcon({ name: 'perijove:perijove', svgstr: perijoveSvg });
