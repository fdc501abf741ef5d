/** What is said while a job's environment is built, and when that fails: the job itself says nothing. */
import * as React from 'react';

import { asApiError, type Job } from '../api';
import type { JobManager } from './manager';

/** Milliseconds between two looks. */
const PERIOD = 1000;

/** The log of the build that the job waits for, or failed for; empty if there is none, or unless `isAsked`. */
export function useBuildLog(manager: JobManager, job: Job | undefined, isAsked: boolean): string {
  const [text, setText] = React.useState('');
  const isMeant = job?.state === 'queued' || job?.reason === 'environment_failed';
  const name = isAsked && isMeant ? job.environment : null;
  React.useEffect(() => {
    setText('');
    if (!name) {
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLeft = false;
    const read = async () => {
      let isOver = false;
      try {
        const { state } = await manager.environment(name);
        const found = state === 'ready' ? '' : await manager.buildLog(name);
        isOver = state === 'ready' || state === 'failed';
        if (!isLeft) {
          setText(found);
        }
      } catch (error) {
        isOver = !asApiError(error).isPassing; // it was deleted
      }
      if (!isOver && !isLeft) {
        timer = setTimeout(() => void read(), PERIOD);
      }
    };
    void read();
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, [manager, name]);
  return text;
}
