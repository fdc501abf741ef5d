/** Runs as tests need them. */
import type { RunRow } from '../api';

export const run = (id: string, more: Partial<RunRow> = {}): RunRow => ({
  run_id: id,
  name: id,
  experiment_id: '1',
  status: 'FINISHED',
  lifecycle_stage: 'active',
  children: 0,
  ...more
});
