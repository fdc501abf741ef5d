/** The extension's plugins. */
import { computePlugin } from './compute/plugin';
import { dashboardsPlugin } from './dashboards/plugin';
import { drivePlugin } from './drive/plugin';
import { experimentsPlugin } from './experiments/plugin';
import { galleryPlugin } from './gallery/plugin';
import { jobsPlugin } from './jobs/plugin';
import { kernelsPlugin } from './kernels/plugin';
import { modelsPlugin } from './models/plugin';
import { outputsPlugin } from './outputs/plugin';
import { runsPlugin } from './runs/plugin';
import { workspacePlugin } from './workspace';

export default [
  workspacePlugin,
  jobsPlugin,
  computePlugin,
  experimentsPlugin,
  runsPlugin,
  modelsPlugin,
  kernelsPlugin,
  drivePlugin,
  dashboardsPlugin,
  galleryPlugin,
  outputsPlugin
];
