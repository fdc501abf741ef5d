/** What happens when a verb is chosen: questions before it, words when it was refused. */
import { Dialog, InputDialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { ApiError, type Job, type Target } from '../api';
import { isOver, JobManager } from '../jobs/manager';
import { ComputeManager } from './manager';

export interface IActionOptions {
  jobs: JobManager;
  compute: ComputeManager;
  trans: TranslationBundle;
}

/** The jobs that were sent to the target, newest first. */
export function jobsOf(jobs: JobManager, name: string): Job[] {
  return jobs.jobs.filter(job => job.compute.toLowerCase() === name.toLowerCase());
}

/** Do it; what it throws is said in a dialog. */
export async function guarded(title: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    const text = error instanceof ApiError ? error.text : String((error as Error).message);
    await showErrorMessage(title, text);
  }
}

/** Ask which of the targets; null when that was dismissed. */
export async function chooseTarget(
  title: string,
  targets: readonly Target[],
  trans: TranslationBundle
): Promise<Target | null> {
  if (!targets.length) {
    await showDialog({
      title,
      body: trans.__('There is no compute target that this can be done to.'),
      buttons: [Dialog.okButton()]
    });
    return null;
  }
  const items = targets.map(target => target.name);
  const answer = await InputDialog.getItem({ title, items });
  return targets.find(target => target.name === answer.value) ?? null;
}

/** Stop it, after a question when that cancels jobs. */
export async function stopTarget(options: IActionOptions, target: Target): Promise<void> {
  const { jobs, compute, trans } = options;
  await insisting(
    () => jobsOf(jobs, target.name).filter(job => !isOver(job) && job.state !== 'queued').length,
    count => ({
      title: trans.__('Stop %1?', target.name),
      body: running(count, trans, trans.__('What is queued waits until it is started again.')),
      accept: trans.__('Cancel jobs and stop')
    }),
    force => compute.stop(target.name, force)
  );
}

/** Stop it and start it again, after a question when that cancels jobs. */
export async function restartTarget(options: IActionOptions, target: Target): Promise<void> {
  const { jobs, compute, trans } = options;
  await insisting(
    () => jobsOf(jobs, target.name).filter(job => !isOver(job) && job.state !== 'queued').length,
    count => ({
      title: trans.__('Restart %1?', target.name),
      body: running(count, trans, trans.__('What is queued begins when it is up again.')),
      accept: trans.__('Cancel jobs and restart')
    }),
    force => compute.restart(target.name, force)
  );
}

/** Delete it, after a question in any case. */
export async function deleteTarget(options: IActionOptions, target: Target): Promise<void> {
  const { jobs, compute, trans } = options;
  const count = () => jobsOf(jobs, target.name).filter(job => !isOver(job)).length;
  const kept = trans.__('The results of its jobs are kept.');
  if (count() === 0) {
    const answer = await showDialog({
      title: trans.__('Delete %1?', target.name),
      body: trans.__('Its nodes end and its log goes. The results of its jobs are kept.'),
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Delete') })]
    });
    if (!answer.button.accept) {
      return;
    }
  }
  await insisting(
    count,
    found => ({
      title: trans.__('Delete %1?', target.name),
      body: `${trans._n(
        '%1 job runs or waits on it and will be canceled.',
        '%1 jobs run or wait on it and will be canceled.',
        found
      )} ${kept}`,
      accept: trans.__('Cancel jobs and delete')
    }),
    force => compute.delete(target.name, force)
  );
}

function running(count: number, trans: TranslationBundle, rest: string): string {
  const jobs = trans._n(
    '%1 job runs on it and will be canceled.',
    '%1 jobs run on it and will be canceled.',
    count
  );
  return `${jobs} ${rest}`;
}

/** Act with force only where jobs are in the way and the user agrees. */
async function insisting(
  inTheWay: () => number,
  question: (count: number) => { title: string; body: string; accept: string },
  act: (force: boolean) => Promise<unknown>
): Promise<void> {
  if (inTheWay() === 0) {
    try {
      await act(false);
      return;
    } catch (error) {
      // a job may have begun since; any other conflict is not ours to overrule
      if (!(error instanceof ApiError && error.code === 'conflict') || inTheWay() === 0) {
        throw error;
      }
    }
  }
  const { title, body, accept } = question(inTheWay());
  const answer = await showDialog({
    title,
    body,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: accept })]
  });
  if (answer.button.accept) {
    await act(true);
  }
}
