/** A button with a panel below it, closed by Escape, by a click elsewhere or by what is in it. */
import { caretDownEmptyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export function Popover(props: {
  label: React.ReactNode;
  title?: string;
  className?: string;
  disabled?: boolean;
  children(close: () => void): React.ReactNode;
}): React.ReactElement {
  const [open, setOpen] = React.useState(false);
  const host = React.useRef<HTMLDivElement>(null);
  const id = React.useId();
  const close = React.useCallback(() => {
    setOpen(false);
    host.current?.querySelector('button')?.focus();
  }, []);
  React.useEffect(() => {
    if (!open) {
      return;
    }
    host.current?.querySelector<HTMLElement>('[role=dialog] input, [role=dialog] button')?.focus();
    const outside = (event: MouseEvent) => {
      if (!host.current?.contains(event.target as Node)) {
        setOpen(false);
      }
    };
    document.addEventListener('mousedown', outside, true);
    return () => document.removeEventListener('mousedown', outside, true);
  }, [open]);
  return (
    <div
      ref={host}
      className="jp-perijove-popover"
      onKeyDown={event => {
        if (open && event.key === 'Escape') {
          event.stopPropagation();
          close();
        }
      }}
    >
      <button
        id={id}
        className={`jp-Button jp-mod-styled jp-mod-minimal ${props.className ?? ''}`}
        title={props.title}
        aria-haspopup="dialog"
        aria-expanded={open}
        disabled={props.disabled}
        onClick={() => setOpen(!open)}
      >
        {props.label}
        <caretDownEmptyIcon.react tag="span" width="14px" height="14px" />
      </button>
      {open && (
        <div role="dialog" aria-labelledby={id} className="jp-perijove-popover-panel">
          {props.children(close)}
        </div>
      )}
    </div>
  );
}
