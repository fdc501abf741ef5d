/** What a click chooses is chosen with Enter and Space, too. */
import * as React from 'react';

export function chosenBy(choose: () => void): {
  onClick: () => void;
  onKeyDown: (event: React.KeyboardEvent) => void;
} {
  return {
    onClick: choose,
    onKeyDown: event => {
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        choose();
      }
    }
  };
}
