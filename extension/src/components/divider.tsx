/** The upper edge of a pane: dragged, or moved by the arrow keys. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

export interface IDividerProps {
  /** Of the pane below, in pixels. */
  height: number;
  trans: TranslationBundle;
  onChange(height: number): void;
}

export function Divider(props: IDividerProps): React.ReactElement {
  const least = 140;
  const onPointerDown = (event: React.PointerEvent<HTMLDivElement>) => {
    const bar = event.currentTarget;
    const [start, height] = [event.clientY, props.height];
    const most = bar.parentElement!.clientHeight - 200;
    bar.setPointerCapture(event.pointerId);
    bar.onpointermove = move =>
      props.onChange(Math.max(least, Math.min(most, height + start - move.clientY)));
    bar.onpointerup = () => {
      bar.onpointermove = bar.onpointerup = null;
    };
  };
  return (
    <div
      className="jp-perijove-divider"
      role="separator"
      tabIndex={0}
      aria-orientation="horizontal"
      aria-label={props.trans.__('Height of the charts')}
      aria-valuenow={props.height}
      onPointerDown={onPointerDown}
      onKeyDown={event => {
        const step = { ArrowUp: 20, ArrowDown: -20 }[event.key];
        if (step) {
          event.preventDefault();
          props.onChange(Math.max(least, props.height + step));
        }
      }}
    />
  );
}
