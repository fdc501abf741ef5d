/** The table of runs from the keyboard. */
import type { Virtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import type { RunRow } from '../api';
import type { Selection } from './selection';
import type { RunTable } from './table';

interface IKeyOptions {
  table: RunTable;
  selection: Selection;
  rows: Virtualizer<HTMLDivElement, Element>;
  editing: string | null;
  onOpen(runId: string): void;
  onDelete(runIds: string[]): void;
  onRename(what: string): void;
}

/** Rows that Page Up and Page Down pass over. */
const PAGE = 15;

export function useKeys(options: IKeyOptions): (event: React.KeyboardEvent) => void {
  const { table, selection, rows } = options;
  const place = React.useRef(0);
  return event => {
    if (options.editing || event.target !== event.currentTarget) {
      return;
    }
    const runAt = (index: number): RunRow | null => {
      const line = table.line(index);
      return line.kind === 'run' ? line.run : null;
    };
    const at = runAt(place.current)?.run_id === selection.active ? place.current : find();
    function find(): number {
      const seen = rows.getVirtualItems().map(item => item.index);
      return seen.find(index => runAt(index)?.run_id === selection.active) ?? -1;
    }
    const go = (to: number, step: number) => {
      let next = Math.max(0, Math.min(table.length - 1, to));
      // heads of groups are passed over
      while (next > 0 && next < table.length - 1 && table.line(next).kind === 'group') {
        next += step;
      }
      const run = runAt(next);
      rows.scrollToIndex(next);
      if (run) {
        place.current = next;
        if (event.shiftKey) {
          selection.extend(run.run_id, table);
        } else {
          selection.activate(run.run_id);
        }
      }
    };
    const run = at < 0 ? null : runAt(at);
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1, 1),
      ArrowUp: () => go(at - 1, -1),
      PageDown: () => go(at + PAGE, 1),
      PageUp: () => go(at - PAGE, -1),
      Home: () => go(0, 1),
      End: () => go(table.length - 1, -1),
      ArrowRight: () => run?.children && !table.isOpen(run.run_id) && table.toggle(run.run_id),
      ArrowLeft: () => run && table.isOpen(run.run_id) && table.toggle(run.run_id),
      ' ': () => run && selection.toggle(run.run_id),
      Enter: () => run && options.onOpen(run.run_id),
      F2: () => run && options.onRename(`${run.run_id} `),
      Escape: () => selection.clear(),
      Delete: () => {
        const chosen = selection.size ? selection.ids : run ? [run.run_id] : [];
        if (chosen.length) {
          options.onDelete(chosen);
        }
      }
    };
    if (event.key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void table.ids().then(ids => selection.set(ids));
    } else if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
    }
  };
}
