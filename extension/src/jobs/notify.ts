/** Says when a job has ended; many at once are said in one breath. */
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { TranslationBundle } from '@jupyterlab/translation';

import type { Job } from '../api';
import { stateText } from './format';
import { JobManager } from './manager';

/** Milliseconds in which ends are gathered, and how many are still said one by one. */
const GATHER = 1500;
const SINGLY = 3;

export function notifyOfEnds(
  manager: JobManager,
  settings: ISettingRegistry.ISettings | null,
  trans: TranslationBundle,
  open: (jobId: string) => Promise<void>
): void {
  let ended: Job[] = [];
  const say = () => {
    const jobs = ended;
    ended = [];
    if (jobs.length > SINGLY) {
      const failed = jobs.filter(job => job.state === 'failed').length;
      const text = trans.__('%1 jobs have ended, %2 of them failed.', jobs.length, failed);
      Notification.emit(text, failed ? 'warning' : 'success', { autoClose: 8000 });
      return;
    }
    for (const job of jobs) {
      const failed = job.state === 'failed';
      const text = failed
        ? `${job.name}: ${job.message ?? stateText(job, trans)}`
        : trans.__('%1 %2', job.name, stateText(job, trans));
      Notification.emit(text, failed ? 'error' : job.state === 'canceled' ? 'info' : 'success', {
        autoClose: failed ? false : 5000,
        actions: [{ label: trans.__('Open'), callback: () => void open(job.id) }]
      });
    }
  };
  manager.ended.connect((_, job) => {
    if (settings?.get('notify').composite === false) {
      return;
    }
    ended.push(job);
    if (ended.length === 1) {
      window.setTimeout(say, GATHER);
    }
  });
}
