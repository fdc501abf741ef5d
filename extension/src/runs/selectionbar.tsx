/** What can be done with the runs that are chosen. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Selection } from './selection';
import { CommandIDs } from './tokens';

export interface ISelectionBarProps {
  selection: Selection;
  /** Are the runs deleted ones? */
  deleted: boolean;
  commands: CommandRegistry;
  trans: TranslationBundle;
  onTag(ids: string[]): void;
  onDelete(ids: string[]): void;
  onRestore(ids: string[]): void;
}

export function SelectionBar(props: ISelectionBarProps): React.ReactElement {
  const { selection, commands, trans, deleted } = props;
  const runIds = selection.ids;
  return (
    <div className="jp-perijove-selection" role="toolbar" aria-label={trans.__('Chosen runs')}>
      <span>{trans.__('%1 selected', selection.size.toLocaleString())}</span>
      <button
        disabled={runIds.length < 2 || runIds.length > 50}
        title={runIds.length > 50 ? trans.__('Up to 50 runs can be compared') : undefined}
        onClick={() => void commands.execute(CommandIDs.compare, { runIds })}
      >
        {trans.__('Compare')}
      </button>
      {!deleted && <button onClick={() => props.onTag(runIds)}>{trans.__('Tag…')}</button>}
      {deleted ? (
        <button onClick={() => props.onRestore(runIds)}>{trans.__('Restore')}</button>
      ) : (
        <button onClick={() => props.onDelete(runIds)}>{trans.__('Delete')}</button>
      )}
      <button onClick={() => selection.clear()}>{trans.__('Clear')}</button>
    </div>
  );
}
