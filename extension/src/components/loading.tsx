/** What stands where an answer is awaited. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

/** Milliseconds after which waiting is explained. */
const LONG = 4000;

/** Has it been waited for so long that it wants a word? */
export function useSlow(isWaiting: boolean): boolean {
  const [slow, setSlow] = React.useState(false);
  React.useEffect(() => {
    setSlow(false);
    if (isWaiting) {
      const timer = setTimeout(() => setSlow(true), LONG);
      return () => clearTimeout(timer);
    }
  }, [isWaiting]);
  return slow && isWaiting;
}

export function Loading(props: { lines?: number; trans: TranslationBundle }): React.ReactElement {
  const slow = useSlow(true);
  return (
    <div className="jp-perijove-loading" aria-busy="true">
      {Array.from({ length: props.lines ?? 2 }, (_, index) => (
        <div key={index} />
      ))}
      {slow && (
        <p role="status">
          {props.trans.__('MLflow has not answered yet. This appears as soon as it does.')}
        </p>
      )}
    </div>
  );
}
