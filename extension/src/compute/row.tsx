/** A compute target in the list. */
import { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Target } from '../api';
import { kindIcon } from '../components/icons';
import { type IRowPlace, rowProps } from '../components/rowlist';
import { Dot } from '../components/state';
import { kindText, stateText, summary, tone } from './format';
import { isChanging, isMachine, isManaged, isOff } from './manager';
import { NodeBar } from './nodebar';
import { UsageBars } from './usagebars';

export interface IRowProps {
  target: Target;
  place: IRowPlace;
  trans: TranslationBundle;
  onOpen(): void;
  onStart(): void;
  onStop(): void;
  onRestart(): void;
}

export function TargetRow(props: IRowProps): React.ReactElement {
  const { target, trans } = props;
  const off = isOff(target);
  const kind = kindIcon(target.kind);
  const text = summary(target, trans);
  const [label, icon, act] = off
    ? ([trans.__('Start %1', target.name), runIcon, props.onStart] as const)
    : target.state === 'unusable'
      ? ([trans.__('Restart %1', target.name), refreshIcon, props.onRestart] as const)
      : ([trans.__('Stop %1', target.name), stopIcon, props.onStop] as const);
  return (
    <div
      {...rowProps(target.name, props.place)}
      data-target={target.name}
      title={target.message ?? undefined}
      onClick={props.onOpen}
    >
      <Dot tone={tone(target)} label={stateText(target, trans)} />
      <div className="jp-perijove-row-text">
        <div className="jp-perijove-row-first">
          <kind.react tag="span" className="jp-perijove-kind" width="14px" height="14px" />
          <span className="jp-perijove-row-name">
            {target.name} <small>{kindText(target, trans)}</small>
          </span>
          {!off &&
            (isMachine(target) ? (
              <UsageBars target={target} trans={trans} />
            ) : (
              <NodeBar target={target} trans={trans} />
            ))}
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
            act();
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
