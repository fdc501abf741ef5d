/** A state as a dot or a pill. */
import * as React from 'react';

import type { JobState } from '../api';

export type Tone = 'ok' | 'error' | 'canceled' | 'waiting' | 'running';

/** Which of the five colours a job's state has. */
export function tone(state: JobState): Tone {
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

export function Dot(props: { tone: Tone; label: string }): React.ReactElement {
  return (
    <span
      className={`jp-perijove-dot jp-mod-${props.tone}`}
      role="img"
      aria-label={props.label}
      title={props.label}
    />
  );
}

export function Pill(props: { tone: Tone; label: string }): React.ReactElement {
  return <span className={`jp-perijove-pill jp-mod-${props.tone}`}>{props.label}</span>;
}

export function StateDot(props: { state: JobState; label: string }): React.ReactElement {
  return <Dot tone={tone(props.state)} label={props.label} />;
}

export function StatePill(props: { state: JobState; label: string }): React.ReactElement {
  return <Pill tone={tone(props.state)} label={props.label} />;
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
