/** The extension's plugins. */
import { jobsPlugin } from './jobs/plugin';

export default [jobsPlugin];
