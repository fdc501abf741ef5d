/** What the sections share: the managers of the workspace's things, fed by the one stream. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Token } from '@lumino/coreutils';

/* eslint-disable jupyter/prefer-lazy-imports -- activation makes these at once */
import { EventStream } from './api';
import { ComputeManager } from './compute/manager';
import { ExperimentManager } from './experiments/manager';
import { JobManager } from './jobs/manager';
import { ModelManager } from './models/manager';
import { RunManager } from './runs/manager';
/* eslint-enable jupyter/prefer-lazy-imports */

export interface IWorkspace {
  readonly jobs: JobManager;
  readonly compute: ComputeManager;
  readonly experiments: ExperimentManager;
  readonly runs: RunManager;
  readonly models: ModelManager;
}

export const IWorkspace = new Token<IWorkspace>(
  'perijove:IWorkspace',
  'The jobs, compute targets, experiments, runs and models of the workspace, as they change.'
);

export const workspacePlugin: JupyterFrontEndPlugin<IWorkspace> = {
  id: 'perijove:workspace',
  description: 'Listens to the hub, and provides the managers of jobs and compute targets.',
  autoStart: true,
  provides: IWorkspace,
  activate: (app: JupyterFrontEnd): IWorkspace => {
    const settings = app.serviceManager.serverSettings;
    const stream = new EventStream(settings);
    const workspace = {
      jobs: new JobManager(settings, stream),
      compute: new ComputeManager(settings, stream),
      experiments: new ExperimentManager(settings, stream),
      runs: new RunManager(settings, stream),
      models: new ModelManager(settings, stream)
    };
    stream.start();
    return workspace;
  }
};
