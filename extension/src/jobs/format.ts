/** How jobs are put into few words. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { Job } from '../api';

export { bytes } from '../components/size';

/** `0.4 s`, `12 s`, `2 m 14 s`, `1 h 05 m`. */
export function duration(seconds: number): string {
  if (seconds < 10) {
    return `${Math.max(0, seconds).toFixed(1)} s`;
  }
  if (seconds < 60) {
    return `${Math.floor(seconds)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return `${minutes} m ${pad(Math.floor(seconds % 60))} s`;
  }
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
}

function pad(number: number): string {
  return String(number).padStart(2, '0');
}

/** Seconds a job has run, or ran. */
export function elapsed(job: Job, now = Date.now()): number | null {
  if (!job.started_at) {
    return null;
  }
  const end = job.ended_at ? Date.parse(job.ended_at) : now;
  return Math.max(0, (end - Date.parse(job.started_at)) / 1000);
}

/** `just now`, `12 min ago`. */
export function ago(time: string, trans: TranslationBundle, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 60) {
    return trans.__('just now');
  }
  if (seconds < 3600) {
    return trans.__('%1 min ago', Math.floor(seconds / 60));
  }
  if (seconds < 86400) {
    return trans.__('%1 h ago', Math.floor(seconds / 3600));
  }
  return trans.__('%1 d ago', Math.floor(seconds / 86400));
}

/** A state, or why it failed, in the user's words. */
export function stateText(job: Job, trans: TranslationBundle): string {
  if (job.cancel_requested && !job.ended_at) {
    return trans.__('canceling');
  }
  switch (job.reason && job.state === 'failed' ? job.reason : job.state) {
    case 'queued':
      return trans.__('queued');
    case 'preparing':
      return trans.__('preparing');
    case 'running':
      return trans.__('running');
    case 'finalizing':
      return trans.__('finalizing');
    case 'succeeded':
      return trans.__('succeeded');
    case 'canceled':
      return trans.__('canceled');
    case 'user_error':
      return trans.__('error in the code');
    case 'kernel_died':
      return trans.__('kernel died');
    case 'out_of_memory':
      return trans.__('out of memory');
    case 'timed_out':
      return trans.__('timed out');
    case 'lost':
      return trans.__('lost');
    case 'disk_full':
      return trans.__('disk full');
    case 'environment_failed':
      return trans.__('environment failed');
    default:
      return trans.__('failed');
  }
}

/** `cell 7 of 12`, while it runs. */
export function cellText(job: Job, trans: TranslationBundle): string {
  const { done = 0, total = 0 } = job.progress ?? {};
  if (!total) {
    return '';
  }
  return trans.__('cell %1 of %2', Math.min(done + 1, total), total);
}

/** The second line of a row. */
export function summary(job: Job, trans: TranslationBundle, now = Date.now()): string {
  const took = elapsed(job, now);
  const parts: string[] = [];
  if (job.state === 'running' || job.state === 'finalizing') {
    parts.push(job.cancel_requested ? stateText(job, trans) : cellText(job, trans));
    parts.push(took === null ? '' : duration(took));
    parts.push(job.compute);
  } else if (!job.ended_at) {
    parts.push(stateText(job, trans), job.compute);
  } else {
    // "cell 2: ZeroDivisionError: …"
    const cell = job.state === 'failed' && job.message?.match(/^cell \d+(?=:)/)?.[0];
    const what = job.reason === 'user_error' ? trans.__('error') : stateText(job, trans);
    parts.push(cell ? trans.__('%1 in %2', what, cell) : stateText(job, trans));
    parts.push(took === null ? '' : duration(took));
    parts.push(ago(job.ended_at, trans, now));
  }
  return parts.filter(Boolean).join(' · ');
}

/** A number short enough for a label. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  return Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
}
