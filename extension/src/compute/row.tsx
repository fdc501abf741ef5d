/** A compute target in the list. */
import { TranslationBundle } from '@jupyterlab/translation';
import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Target } from '../api';
import { Dot } from '../components/state';
import { kindText, stateText, summary, tone } from './format';
import { isChanging, isManaged, isOff } from './manager';
import { NodeBar } from './nodebar';

export interface IRowProps {
  target: Target;
  selected: boolean;
  /** Is it the one that the Tab key reaches? */
  focusable: boolean;
  trans: TranslationBundle;
  onSelect(): void;
  onOpen(): void;
  onStart(): void;
  onStop(): void;
}

export function TargetRow(props: IRowProps): React.ReactElement {
  const { target, trans } = props;
  const off = isOff(target);
  const label = off ? trans.__('Start %1', target.name) : trans.__('Stop %1', target.name);
  const icon = off ? runIcon : stopIcon;
  const text = summary(target, trans);
  return (
    <div
      className={`jp-perijove-row${props.selected ? ' jp-mod-selected' : ''}`}
      role="option"
      aria-selected={props.selected}
      tabIndex={props.focusable ? 0 : -1}
      data-target={target.name}
      title={target.message ?? undefined}
      onFocus={props.onSelect}
      onClick={props.onOpen}
    >
      <Dot tone={tone(target)} label={stateText(target, trans)} />
      <div className="jp-perijove-row-text">
        <div className="jp-perijove-row-first">
          <span className="jp-perijove-row-name">
            {target.name} <small>{kindText(target, trans)}</small>
          </span>
          {!off && <NodeBar target={target} trans={trans} />}
        </div>
        <span className="jp-perijove-row-summary" title={text}>
          {text}
        </span>
      </div>
      {isManaged(target) && !isChanging(target) ? (
        <button
          className="jp-perijove-row-action"
          title={label}
          aria-label={label}
          tabIndex={-1}
          onClick={event => {
            event.stopPropagation();
            (off ? props.onStart : props.onStop)();
          }}
        >
          <icon.react tag="span" width="14px" height="14px" />
        </button>
      ) : (
        <span className="jp-perijove-row-action" />
      )}
    </div>
  );
}
