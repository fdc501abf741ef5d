/** Names that plugins share. */
export const PLUGIN_ID = 'perijove:experiments';

export namespace CommandIDs {
  export const open = 'perijove:open-experiment';
  export const create = 'perijove:create-experiment';
  export const rename = 'perijove:rename-experiment';
  export const remove = 'perijove:delete-experiment';
  export const restore = 'perijove:restore-experiment';
  export const copyId = 'perijove:copy-experiment-id';
}

/** What a command on an experiment takes. */
export const EXPERIMENT_ARGS = {
  type: 'object',
  properties: {
    experimentId: {
      type: 'string',
      description: "The experiment's id; without it, the one that was clicked on"
    }
  }
} as const;
