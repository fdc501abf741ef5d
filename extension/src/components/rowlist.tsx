/**
 * Rows to walk through with the keyboard and to act on: a tree to assistive technology, as a row may
 * have buttons of its own. Only what is in view is drawn; the tree keeps the focus, and says which row
 * is meant.
 */
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import { menuOf } from './menukey';

/** Rows that Page Up and Page Down pass over. */
const PAGE = 12;
/** Pixels of a row with two lines. */
export const ROW = 42;

/** What a list tells each of its rows. */
export interface IRowPlace {
  id: string;
  selected: boolean;
  /** The same for all rows, at all times. */
  onSelect(key: string): void;
}

/** What a row puts on its outermost element. */
export function rowProps(key: string, { id, selected, onSelect }: IRowPlace) {
  return {
    id,
    className: `jp-perijove-row${selected ? ' jp-mod-selected' : ''}`,
    role: 'treeitem',
    'aria-selected': selected,
    onMouseDown: () => onSelect(key)
  };
}

export interface IRowListProps<T> {
  label: string;
  items: readonly T[];
  keyOf(item: T): string;
  /** Pixels; without it, those of `ROW`. */
  heightOf?(item: T): number;
  /** What keys do on the row that is meant, besides those that choose another; `select` chooses
   * one by its key. */
  keysOf(item: T, select: (key: string) => void): Record<string, () => void>;
  draw(item: T, place: IRowPlace): React.ReactElement;
}

export function RowList<T>(props: IRowListProps<T>): React.ReactElement {
  const { items, keyOf, heightOf, keysOf, draw } = props;
  const [selected, setSelected] = React.useState<string | null>(null);
  const prefix = React.useId();
  const scroller = React.useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: index => heightOf?.(items[index]) ?? ROW,
    // a new function has everything measured anew: once when the items change, not on each drawing
    getItemKey: React.useCallback((index: number) => keyOf(items[index]), [items]),
    overscan: 8
  });
  const at = items.findIndex(item => keyOf(item) === selected);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const go = (to: number) => {
      const place = Math.max(0, Math.min(items.length - 1, to));
      if (items[place] !== undefined) {
        setSelected(keyOf(items[place]));
        virtualizer.scrollToIndex(place);
      }
    };
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + PAGE),
      PageUp: () => go(at - PAGE),
      Home: () => go(0),
      End: () => go(items.length - 1),
      ...(at < 0 ? {} : keysOf(items[at], setSelected))
    };
    if (keys[event.key] && !(event.ctrlKey || event.metaKey || event.altKey)) {
      event.preventDefault();
      keys[event.key]();
    }
  };
  // a key may hold what an id may not
  const idOf = (key: string) => `${prefix}${encodeURIComponent(key)}`;
  const active = at < 0 ? undefined : idOf(keyOf(items[at]));
  return (
    <div
      ref={scroller}
      className="jp-perijove-list"
      role="tree"
      tabIndex={0}
      aria-label={props.label}
      aria-activedescendant={active}
      onKeyDown={onKeyDown}
      onFocus={event => {
        // whoever comes by keyboard sees where they are
        if (at < 0 && items.length && event.target.matches(':focus-visible')) {
          setSelected(keyOf(items[0]));
        }
      }}
      onContextMenu={menuOf(active)}
    >
      <div role="presentation" style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
        {virtualizer.getVirtualItems().map(({ index, start, size, key }) => (
          <div
            key={key}
            className="jp-perijove-slot"
            style={{ height: size, transform: `translateY(${start}px)` }}
            role="presentation"
          >
            {draw(items[index], {
              id: idOf(keyOf(items[index])),
              selected: index === at,
              onSelect: setSelected
            })}
          </div>
        ))}
      </div>
    </div>
  );
}
