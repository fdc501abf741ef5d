/** Which line is whose: its colour and its dashes. */
import * as React from 'react';

/** Lines beyond these begin anew, with the next dashes. */
const COLORS = [
  'var(--jp-brand-color1)',
  '#43a047',
  '#f57c00',
  '#ab47bc',
  '#e53935',
  '#00acc1',
  '#8d6e63',
  '#ec407a',
  '#9e9d24',
  '#78909c'
];
/** Pixels that are drawn and left out, in turn. */
const DASHES = [[], [6, 3], [2, 2], [8, 2, 2, 2], [1, 4]];

/** The colour of the nth line, the same wherever the nth is drawn. */
export function lineColor(index: number): string {
  return COLORS[index % COLORS.length];
}

export function lineDash(index: number): number[] {
  return DASHES[Math.floor(index / COLORS.length) % DASHES.length];
}

export function Swatch({ index }: { index: number }): React.ReactElement {
  return (
    <svg className="jp-perijove-swatch" width={14} height={4} aria-hidden="true">
      <line
        x2={14}
        y1={2}
        y2={2}
        style={{ stroke: lineColor(index), strokeWidth: 3 }}
        strokeDasharray={lineDash(index).join(' ') || undefined}
      />
    </svg>
  );
}
