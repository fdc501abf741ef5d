/** Names that plugins share. */
export const PLUGIN_ID = 'perijove:jobs';

export namespace CommandIDs {
  export const runOn = 'perijove:run-on';
  export const open = 'perijove:open-job';
  export const cancel = 'perijove:cancel-job';
  export const rerun = 'perijove:rerun-job';
  export const remove = 'perijove:delete-job';
  export const openRun = 'perijove:open-run';
  export const copyId = 'perijove:copy-job-id';
  export const download = 'perijove:download-notebook';
  export const showPanel = 'perijove:show-panel';
}

/** What a command on a job takes. */
export const JOB_ARGS = {
  type: 'object',
  properties: {
    jobId: { type: 'string', description: "The job's id; without it, the job that was clicked on" }
  }
} as const;
