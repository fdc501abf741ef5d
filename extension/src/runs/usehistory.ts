/** Histories of runs inside React. */
import * as React from 'react';

import { useSignal } from '../components/signal';
import { History, type IHistoryQuestion } from './history';
import type { RunManager } from './manager';

/** The histories asked for, as they grow. */
export function useHistory(manager: RunManager, question: IHistoryQuestion, shown = true): History {
  const history = React.useMemo(() => new History(manager), [manager]);
  useSignal(history.changed);
  React.useEffect(() => () => history.dispose(), [history]);
  React.useEffect(() => history.ask(question), [history, JSON.stringify(question)]);
  React.useEffect(() => {
    history.isShown = shown;
  }, [shown]);
  return history;
}
