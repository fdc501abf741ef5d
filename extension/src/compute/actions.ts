/** What happens when a verb is chosen: questions before it, words when it was refused. */
import { Dialog, InputDialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { ApiError, type Job, type Target } from '../api';
import { confirm } from '../components/confirm';
import { isOver, JobManager } from '../jobs/manager';
import { ComputeManager, isMachine, kernelsOn } from './manager';

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
  const { compute, trans } = options;
  await insisting(
    () => workOn(options, target),
    work => ({
      title: trans.__('Stop %1?', target.name),
      body: [lost(work, trans), trans.__('What is queued waits until it is started again.')],
      accept: work.jobs ? trans.__('Cancel jobs and stop') : trans.__('Stop')
    }),
    force => compute.stop(target.name, force)
  );
}

/** Stop it and start it again, after a question when that cancels jobs. */
export async function restartTarget(options: IActionOptions, target: Target): Promise<void> {
  const { compute, trans } = options;
  await insisting(
    () => workOn(options, target),
    work => ({
      title: trans.__('Restart %1?', target.name),
      body: [lost(work, trans), trans.__('What is queued begins when it is up again.')],
      accept: work.jobs ? trans.__('Cancel jobs and restart') : trans.__('Restart')
    }),
    force => compute.restart(target.name, force)
  );
}

/** Delete it, after a question in any case. */
export async function deleteTarget(options: IActionOptions, target: Target): Promise<void> {
  const { jobs, compute, trans } = options;
  const kept = isMachine(target)
    ? trans.__('Its files and the results of its jobs are kept.')
    : trans.__('The results of its jobs are kept.');
  const inTheWay = () => ({
    jobs: jobsOf(jobs, target.name).filter(job => !isOver(job)).length,
    kernels: kernelsOn(compute.get(target.name) ?? target)
  });
  await insisting(
    inTheWay,
    work => ({
      title: trans.__('Delete %1?', target.name),
      body: [
        work.jobs || work.kernels
          ? lost(work, trans)
          : trans.__('What runs there for Perijove ends, and its log goes.'),
        kept
      ],
      accept: work.jobs ? trans.__('Cancel jobs and delete') : trans.__('Delete')
    }),
    force => compute.delete(target.name, force),
    true
  );
}

/** What would be lost. */
interface IWork {
  jobs: number;
  kernels: number;
}

function workOn({ compute }: IActionOptions, target: Target): IWork {
  const now = compute.get(target.name) ?? target;
  return { jobs: now.running_jobs, kernels: kernelsOn(now) };
}

function lost({ jobs, kernels }: IWork, trans: TranslationBundle): string {
  const parts = [
    jobs && trans._n('%1 job of it is canceled.', '%1 jobs of it are canceled.', jobs),
    kernels &&
      trans._n(
        '%1 kernel runs on it: its variables are lost.',
        '%1 kernels run on it: their variables are lost.',
        kernels
      )
  ];
  return parts.filter(Boolean).join(' ');
}

/** Act, with a question first where work is in the way or `always`; force is for jobs only. */
async function insisting(
  inTheWay: () => IWork,
  question: (work: IWork) => { title: string; body: string[]; accept: string },
  act: (force: boolean) => Promise<unknown>,
  always = false
): Promise<void> {
  const work = inTheWay();
  let force = work.jobs > 0;
  if (always || work.jobs || work.kernels) {
    if (!(await agreed(question(work)))) {
      return;
    }
  }
  try {
    await act(force);
  } catch (error) {
    // a job may have begun since; any other conflict is not ours to overrule
    const now = inTheWay();
    force = error instanceof ApiError && error.code === 'conflict' && !force && now.jobs > 0;
    if (!force) {
      throw error;
    }
    if (await agreed(question(now))) {
      await act(true);
    }
  }
}

async function agreed(question: {
  title: string;
  body: string[];
  accept: string;
}): Promise<boolean> {
  return confirm({ ...question, body: question.body.filter(Boolean).join(' ') });
}
