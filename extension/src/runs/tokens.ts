/** Names that plugins share. */
export const PLUGIN_ID = 'perijove:runs';

export namespace CommandIDs {
  export const openRuns = 'perijove:open-runs';
  export const open = 'perijove:show-run';
  export const compare = 'perijove:compare-runs';
  export const rename = 'perijove:rename-run';
  export const tag = 'perijove:tag-runs';
  export const copyId = 'perijove:copy-run-id';
  export const remove = 'perijove:delete-runs';
  export const restore = 'perijove:restore-runs';
  export const insert = 'perijove:insert-runs';
  export const registerModel = 'perijove:register-model';
}

/** What a command on runs takes; without it, it is about what is chosen. */
export const RUNS_ARGS = {
  type: 'object',
  properties: {
    runId: { type: 'string', description: "The run's id" },
    runIds: { type: 'array', items: { type: 'string' }, description: "The runs' ids" }
  }
} as const;

export const EXPERIMENTS_ARGS = {
  type: 'object',
  properties: {
    experimentIds: {
      type: 'array',
      items: { type: 'string' },
      description: "The experiments' ids"
    }
  }
} as const;
