/** The extension's plugins. */
import { computePlugin } from './compute/plugin';
import { jobsPlugin } from './jobs/plugin';
import { workspacePlugin } from './workspace';

export default [workspacePlugin, jobsPlugin, computePlugin];
