/** The time, again after each period, for what shows how long something takes. */
import * as React from 'react';

/** Milliseconds since 1970; with a period of 0 the clock stands. */
export function useClock(period: number): number {
  const [now, setNow] = React.useState(() => Date.now());
  React.useEffect(() => {
    setNow(Date.now());
    if (!period) {
      return;
    }
    const timer = window.setInterval(() => setNow(Date.now()), period);
    return () => window.clearInterval(timer);
  }, [period]);
  return now;
}
