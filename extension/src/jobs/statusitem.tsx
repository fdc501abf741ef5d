/** The status bar's word on the workspace. */
import { ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useSignal } from '../components/signal';
import { JobManager } from './manager';

export class StatusItem extends ReactWidget {
  constructor(
    private _manager: JobManager,
    private _trans: TranslationBundle,
    private _onClick: () => void
  ) {
    super();
    this.addClass('jp-mod-highlighted');
  }

  protected render(): React.ReactElement {
    return <Item manager={this._manager} trans={this._trans} onClick={this._onClick} />;
  }
}

function Item(props: {
  manager: JobManager;
  trans: TranslationBundle;
  onClick(): void;
}): React.ReactElement | null {
  const { manager, trans } = props;
  useSignal(manager.changed);
  const name = manager.status?.workspace;
  if (!name) {
    return null;
  }
  const active = manager.active.length;
  const jobs = active ? ` · ${trans._n('%1 job', '%1 jobs', active)}` : '';
  return (
    <span
      className="jp-StatusBar-TextItem jp-perijove-status"
      title={trans.__('Show jobs')}
      onClick={props.onClick}
    >
      {`Perijove: ${name}${jobs}`}
    </span>
  );
}
