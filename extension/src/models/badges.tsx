/** Aliases, as badges. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ModelAlias } from '../api';

export function Badge(props: {
  alias: ModelAlias;
  /** Also say which version it points at. */
  version?: boolean;
  trans: TranslationBundle;
  onClick?(): void;
}): React.ReactElement {
  const { alias, trans } = props;
  const said = [
    trans.__('%1 points at version %2', alias.alias, alias.version),
    alias.reason,
    alias.moved_by && trans.__('moved by %1', alias.moved_by),
    alias.moved_at && new Date(alias.moved_at).toLocaleString()
  ];
  const text = (
    <>
      {alias.alias}
      {props.version && <small> → {alias.version}</small>}
    </>
  );
  const title = said.filter(Boolean).join('\n');
  return props.onClick ? (
    <button className="jp-perijove-badge" title={title} onClick={props.onClick}>
      {text}
    </button>
  ) : (
    <span className="jp-perijove-badge" title={title}>
      {text}
    </span>
  );
}
