/** A figure of the last minutes as a small filled line; it moves left as time passes. */
import * as React from 'react';

export interface ISparkProps {
  /** [milliseconds, value], oldest first. */
  points: readonly (readonly [number, number])[];
  /** Milliseconds from the left edge to the right one. */
  span: number;
  /** The value at the upper edge; larger ones raise it. 0: a little above the largest. */
  max: number;
  /** Pixels. */
  height: number;
  label: string;
}

const WIDTH = 100;

export function Spark(props: ISparkProps): React.ReactElement {
  const { points, span, height } = props;
  const now = points.length ? points[points.length - 1][0] : 0;
  const peak = Math.max(0, ...points.map(([, value]) => value));
  const top = (props.max ? Math.max(props.max, peak) : 1.25 * peak) || 1;
  const line = points
    .map(([at, value]) => {
      const x = WIDTH * (1 - (now - at) / span);
      const y = height - 1 - (height - 2) * (value / top);
      return `${x.toFixed(2)},${y.toFixed(2)}`;
    })
    .join(' L');
  const first = points.length ? WIDTH * (1 - (now - points[0][0]) / span) : WIDTH;
  return (
    <svg
      className="jp-perijove-spark"
      viewBox={`0 0 ${WIDTH} ${height}`}
      height={height}
      preserveAspectRatio="none"
      role="img"
      aria-label={props.label}
    >
      {points.length > 1 && (
        <>
          <path className="jp-mod-area" d={`M${first},${height} L${line} L${WIDTH},${height} Z`} />
          <path className="jp-mod-line" d={`M${line}`} />
        </>
      )}
    </svg>
  );
}
