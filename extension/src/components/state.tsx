/** A job's state as a dot or a pill. */
import * as React from 'react';

import type { JobState } from '../api';

/** Which of the five colours a state has. */
export function tone(state: JobState): string {
  switch (state) {
    case 'succeeded':
      return 'ok';
    case 'failed':
      return 'error';
    case 'canceled':
      return 'canceled';
    case 'queued':
      return 'waiting';
    default:
      return 'running';
  }
}

export function StateDot(props: { state: JobState; label: string }): React.ReactElement {
  return (
    <span
      className={`jp-perijove-dot jp-mod-${tone(props.state)}`}
      role="img"
      aria-label={props.label}
      title={props.label}
    />
  );
}

export function StatePill(props: { state: JobState; label: string }): React.ReactElement {
  return <span className={`jp-perijove-pill jp-mod-${tone(props.state)}`}>{props.label}</span>;
}

export function ProgressBar(props: {
  done: number;
  total: number;
  label: string;
}): React.ReactElement {
  return (
    <div
      className="jp-perijove-progress"
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={props.total}
      aria-valuenow={props.done}
    >
      <div style={{ width: `${props.total ? (100 * props.done) / props.total : 0}%` }} />
    </div>
  );
}
