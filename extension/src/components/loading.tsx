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

/** Where a line is enough. */
export function LoadingLine(props: { trans: TranslationBundle }): React.ReactElement {
  const { trans } = props;
  return (
    <p className="jp-perijove-hint" role="status">
      {useSlow(true) ? notYet(trans) : trans.__('Loading…')}
    </p>
  );
}

export function Loading(props: { lines?: number; trans: TranslationBundle }): React.ReactElement {
  const slow = useSlow(true);
  return (
    <div className="jp-perijove-loading" aria-busy="true">
      {Array.from({ length: props.lines ?? 2 }, (_, index) => (
        <div key={index} />
      ))}
      {slow && <p role="status">{notYet(props.trans)}</p>}
    </div>
  );
}

function notYet(trans: TranslationBundle): string {
  return trans.__('MLflow has not answered yet. This appears as soon as it does.');
}
