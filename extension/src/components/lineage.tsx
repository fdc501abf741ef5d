/** Where things came from, as a picture: data and notebook → run → model → version. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Lineage, LineageNode } from '../api';
import { layers } from './layers';

/** Pixels. */
const BOX = { width: 190, height: 50, across: 62, below: 16, margin: 20 };

export function LineageView(props: {
  lineage: Lineage;
  /** The node this picture is about. */
  current?: string;
  /** Can it be opened? */
  canOpen(node: LineageNode): boolean;
  onOpen(node: LineageNode): void;
  trans: TranslationBundle;
}): React.ReactElement {
  const { lineage, trans } = props;
  // one of its own: what a hidden document has is not drawn in others
  const arrow = React.useId();
  const placed = layers(lineage.nodes, lineage.edges);
  const most = Math.max(1, ...placed.map(({ row }) => row + 1));
  const counts = new Map<number, number>();
  placed.forEach(({ column }) => counts.set(column, (counts.get(column) ?? 0) + 1));
  const step = BOX.height + BOX.below;
  const places = new Map(
    placed.map(({ node, column, row }) => [
      node.id,
      {
        x: BOX.margin + column * (BOX.width + BOX.across),
        // columns with few boxes stand in the middle
        y: BOX.margin + (row + (most - counts.get(column)!) / 2) * step
      }
    ])
  );
  const width = Math.max(0, ...[...places.values()].map(({ x }) => x + BOX.width)) + BOX.margin;
  const height = 2 * BOX.margin + most * step;
  const kinds: Record<LineageNode['kind'], string> = {
    dataset: trans.__('dataset'),
    run: trans.__('run'),
    model: trans.__('model'),
    version: trans.__('version'),
    notebook: trans.__('source')
  };
  return (
    <div className="jp-perijove-scroll" tabIndex={0} aria-label={trans.__('Lineage')}>
      <div className="jp-perijove-lineage" style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true">
          <defs>
            <marker
              id={arrow}
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="6"
              markerHeight="6"
              orient="auto"
            >
              <path d="M0,1 L7,4 L0,7" />
            </marker>
          </defs>
          {lineage.edges.map(([from, to]) => {
            const [a, b] = [places.get(from), places.get(to)];
            if (!a || !b) {
              return null;
            }
            const start = [a.x + BOX.width, a.y + BOX.height / 2];
            const end = [b.x - 2, b.y + BOX.height / 2];
            const bend = BOX.across / 2;
            const way = `C${start[0] + bend},${start[1]} ${end[0] - bend},${end[1]} ${end}`;
            return (
              <path key={`${from} ${to}`} d={`M${start} ${way}`} markerEnd={`url(#${arrow})`} />
            );
          })}
        </svg>
        {placed.map(({ node }) => {
          const { x, y } = places.get(node.id)!;
          const can = props.canOpen(node);
          return (
            <button
              key={node.id}
              className={`jp-mod-${node.kind}${node.id === props.current ? ' jp-mod-current' : ''}`}
              style={{ left: x, top: y, width: BOX.width, height: BOX.height }}
              title={[node.label, node.detail].filter(Boolean).join('\n')}
              disabled={!can}
              onClick={() => props.onOpen(node)}
            >
              <small>
                {kinds[node.kind]}
                {node.detail
                  ? ` · ${node.kind === 'run' ? node.detail.toLowerCase() : node.detail}`
                  : ''}
              </small>
              <span>{node.label}</span>
            </button>
          );
        })}
      </div>
    </div>
  );
}
