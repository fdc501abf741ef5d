/** Draw again when a signal fires: at most once a frame. */
import { ISignal } from '@lumino/signaling';
import * as React from 'react';

export function useSignal<T, U>(signal: ISignal<T, U>): number {
  const [version, setVersion] = React.useState(0);
  React.useEffect(() => {
    let frame = 0;
    const slot = () => {
      // a hidden page draws no frames: what changed is drawn when it is looked at
      frame =
        frame ||
        requestAnimationFrame(() => {
          frame = 0;
          setVersion(v => v + 1);
        });
    };
    signal.connect(slot);
    return () => {
      cancelAnimationFrame(frame);
      signal.disconnect(slot);
    };
  }, [signal]);
  return version;
}
