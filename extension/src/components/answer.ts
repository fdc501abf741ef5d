/** An answer of the server's inside React. */
import * as React from 'react';

import { Reading } from '../api';

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
    const reading = new Reading(
      ask,
      found => {
        setAnswer(found);
        setProblem(null);
      },
      error => setProblem(error.text)
    );
    if (!keep) {
      setAnswer(null);
    }
    setProblem(null);
    void reading.now();
    return () => reading.dispose();
  }, deps);
  return [answer, problem];
}
