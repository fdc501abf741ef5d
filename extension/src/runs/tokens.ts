/** Names that plugins share. */
export const PLUGIN_ID = 'perijove:runs';

export namespace CommandIDs {
  export const openRuns = 'perijove:open-runs';
  export const open = 'perijove:show-run';
  export const compare = 'perijove:compare-runs';
  export const insert = 'perijove:insert-runs';
  export const registerModel = 'perijove:register-model';
}

/** What a command on a run takes. */
export const RUN_ARGS = {
  type: 'object',
  required: ['runId'],
  properties: { runId: { type: 'string', description: "The run's id" } }
} as const;

export const RUNS_ARGS = {
  type: 'object',
  required: ['runIds'],
  properties: {
    runIds: { type: 'array', items: { type: 'string' }, description: "The runs' ids, 2 to 50" }
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
