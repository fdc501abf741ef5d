/** The tabs of a document, of which arrow keys go from one to the next, and what the current one shows. */
import * as React from 'react';

export interface ITab<T extends string> {
  key: T;
  label: string;
  /** Shown behind the label unless it is 0. */
  count?: number;
}

export function Tabs<T extends string>(props: {
  tabs: readonly ITab<T>[];
  current: T;
  onChange(tab: T): void;
}): React.ReactElement {
  const { tabs, current, onChange } = props;
  const host = React.useRef<HTMLElement>(null);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const at = tabs.findIndex(tab => tab.key === current);
      const to = (at + step + tabs.length) % tabs.length;
      onChange(tabs[to].key);
      (host.current?.children[to] as HTMLElement | undefined)?.focus();
    }
  };
  return (
    <nav ref={host} className="jp-perijove-tabs" role="tablist" onKeyDown={onKeyDown}>
      {tabs.map(({ key, label, count }) => (
        <button
          key={key}
          role="tab"
          aria-selected={current === key}
          tabIndex={current === key ? 0 : -1}
          className={current === key ? 'jp-mod-current' : ''}
          onClick={() => onChange(key)}
        >
          {label} {Boolean(count) && <span>{count}</span>}
        </button>
      ))}
    </nav>
  );
}

/** What the current tab is about. */
export function TabBody<T extends string>(props: {
  tabs: readonly ITab<T>[];
  current: T;
  children: React.ReactNode;
}): React.ReactElement {
  const label = props.tabs.find(tab => tab.key === props.current)?.label;
  return (
    <div className="jp-perijove-body" role="tabpanel" aria-label={label}>
      {props.children}
    </div>
  );
}
