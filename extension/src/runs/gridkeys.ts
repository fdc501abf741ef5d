/** The table of runs from the keyboard. */
import { TranslationBundle } from '@jupyterlab/translation';
import type { Virtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import type { RunRow } from '../api';
import { selectAll } from './actions';
import { keyOf } from './groups';
import type { Selection } from './selection';
import type { RunTable } from './table';

interface IKeyOptions {
  trans: TranslationBundle;
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
    const lineAt = (index: number) => table.line(index);
    const isAt = (index: number) => keyOf(lineAt(index)) === selection.active;
    const at = isAt(place.current) ? place.current : find();
    function find(): number {
      const seen = rows.getVirtualItems().map(item => item.index);
      return seen.find(isAt) ?? -1;
    }
    const go = (to: number) => {
      const next = Math.max(0, Math.min(table.length - 1, to));
      const key = keyOf(lineAt(next));
      rows.scrollToIndex(next);
      if (key !== null) {
        place.current = next;
        if (event.shiftKey && runAt(next)) {
          selection.extend(key, table);
        } else {
          selection.activate(key);
        }
      }
    };
    const line = at < 0 ? null : lineAt(at);
    const group = line?.kind === 'group' ? line : null;
    const run = at < 0 ? null : runAt(at);
    const fold = (open: boolean) => {
      if (group && group.open !== open) {
        table.toggleGroup(group.group.value);
      } else if (run && table.isOpen(run.run_id) !== open && (run.children || !open)) {
        void table.toggle(run.run_id);
      }
    };
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + PAGE),
      PageUp: () => go(at - PAGE),
      Home: () => go(0),
      End: () => go(table.length - 1),
      ArrowRight: () => fold(true),
      ArrowLeft: () => fold(false),
      ' ': () => (group ? fold(!group.open) : run && selection.toggle(run.run_id)),
      Enter: () => (group ? fold(!group.open) : run && options.onOpen(run.run_id)),
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
      void selectAll(table, selection, options.trans);
    } else if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
    }
  };
}
