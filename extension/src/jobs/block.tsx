/**
 * Cells that follow each other. They are drawn while they are near the view; far from it they are
 * empty space of the height they had, so that a notebook may have any number of cells.
 */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Cell } from './cell';
import type { ICell } from './notebook';
import type { Pictures } from './pictures';

/** Cells in a block. */
const SIZE = 20;
/** Pixels around the view in which blocks are drawn already. */
const NEAR = 800;
/** Pixels that a cell, a line and an output take about, until they were drawn once. */
const GUESS = { cell: 38, line: 17, output: 24 };

export interface IBlockProps {
  cells: ICell[];
  /** Changes with every change to one of the cells. */
  version: number;
  now: number;
  /** Draw it, wherever the view is. */
  drawn: boolean;
  language: string;
  pictures: Pictures;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  trans: TranslationBundle;
}

export const Block = React.memo(function Block(props: IBlockProps): React.ReactElement {
  const { cells, now, drawn, ...rest } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const height = React.useRef<number | null>(null);
  // whatever is in view first, the beginning is
  const [near, setNear] = React.useState(cells[0].index === 0);
  React.useEffect(() => {
    const element = host.current!;
    const observer = new IntersectionObserver(
      entries => {
        const { isIntersecting, boundingClientRect } = entries[entries.length - 1];
        // in a hidden tab nothing is near and nothing has a height: that says nothing
        if (boundingClientRect.height) {
          height.current = boundingClientRect.height;
          setNear(isIntersecting);
        }
      },
      { root: element.parentElement, rootMargin: `${NEAR}px 0px` }
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const shown = near || drawn;
  return (
    <div ref={host} style={shown ? undefined : { height: height.current ?? guess(cells) }}>
      {shown &&
        cells.map(cell => (
          <Cell
            key={cell.index}
            {...rest}
            cell={cell}
            version={cell.version}
            now={cell.state === 'running' ? now : 0}
          />
        ))}
    </div>
  );
});

/** The cells in pieces. */
export function blocksOf(cells: ICell[]): ICell[][] {
  const count = Math.ceil(cells.length / SIZE);
  return Array.from({ length: count }, (_, at) => cells.slice(at * SIZE, (at + 1) * SIZE));
}

export function versionOf(cells: ICell[]): number {
  return cells.reduce((sum, cell) => sum + cell.version, 0);
}

function guess(cells: ICell[]): number {
  return cells.reduce(
    (sum, cell) =>
      sum +
      GUESS.cell +
      GUESS.line * cell.source.split('\n').length +
      GUESS.output * cell.outputs.length,
    0
  );
}
