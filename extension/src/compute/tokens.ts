/** Names that plugins share. */
export const PLUGIN_ID = 'perijove:compute';

export namespace CommandIDs {
  export const create = 'perijove:create-compute';
  export const attach = 'perijove:attach-compute';
  export const keep = 'perijove:keep-compute-running';
  export const open = 'perijove:open-compute';
  export const start = 'perijove:start-compute';
  export const stop = 'perijove:stop-compute';
  export const restart = 'perijove:restart-compute';
  export const scale = 'perijove:scale-compute';
  export const terminal = 'perijove:open-compute-terminal';
  export const remove = 'perijove:delete-compute';
}

/** JupyterLab's own; it is not there when the server has no terminals. */
export const NEW_TERMINAL = 'terminal:create-new';
