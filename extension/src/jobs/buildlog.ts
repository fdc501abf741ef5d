/** What is said while a job's environment is built, and when that fails: the job itself says nothing. */
import * as React from 'react';

import { asApiError, type Job } from '../api';
import { repeated } from '../components/repeated';
import type { JobManager } from './manager';

/** Milliseconds between two looks. */
const PERIOD = 1000;

/** The log of the build that the job waits for, or failed for; empty if there is none, or unless `isAsked`. */
export function useBuildLog(manager: JobManager, job: Job | undefined, isAsked: boolean): string {
  const [text, setText] = React.useState('');
  const hasFailed =
    job?.state === 'failed' && (job.attempt === 0 || job.reason === 'environment_failed');
  const isMeant = job?.state === 'queued' || hasFailed;
  const name = isAsked && isMeant ? job.environment : null;
  React.useEffect(() => {
    setText('');
    if (!name) {
      return;
    }
    return repeated(async isLeft => {
      try {
        const { state } = await manager.environment(name);
        const found = state === 'ready' ? '' : await manager.buildLog(name);
        if (!isLeft()) {
          setText(found);
        }
        return state !== 'ready' && state !== 'failed';
      } catch (error) {
        return asApiError(error).isPassing; // else it was deleted
      }
    }, PERIOD);
  }, [manager, name]);
  return text;
}
