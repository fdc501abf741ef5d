/** The course of a metric in small. */
import * as React from 'react';

/** Pixels. */
const SIZE = { width: 64, height: 18 };

export const Sparkline = React.memo(function Sparkline(props: {
  values: readonly number[] | undefined;
  failed?: boolean;
}): React.ReactElement {
  const values = props.values ?? [];
  const least = Math.min(...values);
  const span = Math.max(...values) - least || 1;
  const at = (value: number, index: number) => {
    const x = 1 + ((SIZE.width - 2) * index) / Math.max(1, values.length - 1);
    const y = SIZE.height - 2 - ((SIZE.height - 4) * (value - least)) / span;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  };
  return (
    <svg
      className={`jp-perijove-sparkline${props.failed ? ' jp-mod-error' : ''}`}
      width={SIZE.width}
      height={SIZE.height}
      aria-hidden="true"
    >
      {values.length > 1 && <polyline points={values.map(at).join(' ')} />}
    </svg>
  );
});
