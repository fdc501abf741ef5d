/** The menu of what is selected in a list, from the keyboard. */
import * as React from 'react';

/**
 * The menu key and Shift+F10 tell the list that has the focus, not the row: pass it on to the row.
 * For the list's `onContextMenu`.
 */
export function menuOf(id: string | undefined): (event: React.MouseEvent<HTMLElement>) => void {
  return event => {
    const row = id === undefined ? null : document.getElementById(id);
    // the secondary button of a mouse says itself where it is
    if (event.button === 2 || event.target !== event.currentTarget || !row) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const { left, bottom } = row.getBoundingClientRect();
    const [clientX, clientY] = [left + 24, bottom - 8];
    row.dispatchEvent(
      new MouseEvent('contextmenu', { bubbles: true, cancelable: true, clientX, clientY })
    );
  };
}
