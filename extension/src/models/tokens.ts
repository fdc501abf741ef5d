/** Names that plugins share. */
export const PLUGIN_ID = 'perijove:models';

export namespace CommandIDs {
  export const open = 'perijove:open-model';
  export const register = 'perijove:register-model';
  export const alias = 'perijove:move-model-alias';
  export const rename = 'perijove:rename-model';
  export const archive = 'perijove:archive-model';
  export const remove = 'perijove:delete-model';
  export const copy = 'perijove:copy-model-snippet';
  export const download = 'perijove:download-model';
}

/** What a command on a model takes. */
export const MODEL_ARGS = {
  type: 'object',
  properties: {
    name: { type: 'string', description: "The model's name; without it, the one clicked on" },
    version: { type: 'string', description: 'One of its versions, where that is meant' },
    palette: { type: 'boolean', description: 'Ask which model is meant' }
  }
} as const;
