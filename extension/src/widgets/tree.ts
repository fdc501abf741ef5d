/** Makes a widget's rows one stop of the Tab key, among which arrow keys choose. */
import type * as React from 'react';

type Tree = Pick<
  React.HTMLAttributes<HTMLElement>,
  'role' | 'tabIndex' | 'aria-activedescendant' | 'onKeyDown'
>;

/** `keys`: of the rows, from above; `idOf`: the id of a row's element. */
export function treeProps(
  keys: readonly string[],
  selected: string | undefined,
  select: (key: string) => void,
  idOf: (key: string) => string
): Tree {
  const at = selected === undefined ? -1 : keys.indexOf(selected);
  return {
    role: 'tree',
    tabIndex: 0,
    'aria-activedescendant': at < 0 ? undefined : idOf(keys[at]),
    onKeyDown: event => {
      const places: Record<string, number> = {
        ArrowDown: at + 1,
        ArrowUp: at - 1,
        Home: 0,
        End: keys.length - 1
      };
      const to = keys[places[event.key]];
      if (to !== undefined) {
        event.preventDefault();
        select(to);
      }
    }
  };
}
