/** Names that plugins share. */
export const PLUGIN_ID = 'perijove:compute';

export namespace CommandIDs {
  export const create = 'perijove:create-cluster';
  export const open = 'perijove:open-compute';
  export const start = 'perijove:start-compute';
  export const stop = 'perijove:stop-compute';
  export const restart = 'perijove:restart-compute';
  export const scale = 'perijove:scale-compute';
  export const remove = 'perijove:delete-compute';
}
