/** Which jobs a filter lets through: words that all occur, in the name or anywhere else said. */
import type { Job } from '../api';

export function matches(job: Job, filter: string): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    return true;
  }
  const tags = Object.entries(job.tags ?? {}).map(([key, value]) => `${key}=${value}`);
  const said = [
    job.name,
    job.experiment,
    job.state,
    job.reason,
    job.compute,
    job.path,
    job.id,
    ...tags
  ]
    .join(' ')
    .toLowerCase();
  return words.every(word => said.includes(word));
}
