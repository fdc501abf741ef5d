/** Some of many things, to find by typing and to tick. */
import * as React from 'react';

export interface ICheckItem {
  key: string;
  label: string;
}

/** Things drawn; the rest is found by typing. */
const MOST = 200;

export function Checklist(props: {
  /** What the field says in which one types. */
  find: string;
  items: readonly ICheckItem[];
  chosen: readonly string[];
  /** How many may be chosen. */
  most: number;
  /** What is said when there is none. */
  none: string;
  onChange(chosen: string[]): void;
}): React.ReactElement {
  const { find, items, chosen } = props;
  const [filter, setFilter] = React.useState('');
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = items
    .filter(({ label }) => words.every(word => label.toLowerCase().includes(word)))
    .slice(0, MOST);
  const isChosen = (key: string) => chosen.includes(key);
  return (
    <div className="jp-perijove-chooser">
      <input
        type="search"
        className="jp-mod-styled"
        placeholder={find}
        aria-label={find}
        value={filter}
        onChange={event => setFilter(event.target.value)}
      />
      {!shown.length && <small>{props.none}</small>}
      {shown.map(({ key, label }) => (
        <label key={key} title={label}>
          <input
            type="checkbox"
            checked={isChosen(key)}
            disabled={!isChosen(key) && chosen.length >= props.most}
            onChange={() =>
              props.onChange(isChosen(key) ? chosen.filter(one => one !== key) : [...chosen, key])
            }
          />
          <span>
            <bdi>{label}</bdi>
          </span>
        </label>
      ))}
    </div>
  );
}
