/** An answer of the server's inside React. */
import * as React from 'react';

import { asApiError } from '../api';

/** Milliseconds before another try while nothing answers. */
const RETRY = 3000;

/**
 * The answer to a question, or why there is none yet: what may come by itself is asked for again
 * until it does. With other `deps` it is another question; `keep`: its answer replaces the last one
 * when it is there.
 */
export function useAnswer<T>(
  ask: () => Promise<T>,
  deps: unknown[],
  keep = false
): [T | null, string | null] {
  const [answer, setAnswer] = React.useState<T | null>(null);
  const [problem, setProblem] = React.useState<string | null>(null);
  React.useEffect(() => {
    let isLeft = false;
    let timer = 0;
    const read = () =>
      ask().then(
        found => {
          if (!isLeft) {
            setAnswer(found);
            setProblem(null);
          }
        },
        (reason: unknown) => {
          const error = asApiError(reason);
          if (!isLeft) {
            setProblem(error.text);
            timer = error.isPassing ? window.setTimeout(() => void read(), RETRY) : 0;
          }
        }
      );
    if (!keep) {
      setAnswer(null);
    }
    setProblem(null);
    void read();
    return () => {
      isLeft = true;
      window.clearTimeout(timer);
    };
  }, deps);
  return [answer, problem];
}
