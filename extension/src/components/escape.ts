/** Escape leaves what is being edited, and nothing around it. */
import * as React from 'react';

export function onEscape(leave: () => void): (event: React.KeyboardEvent) => void {
  return event => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      leave();
    }
  };
}
