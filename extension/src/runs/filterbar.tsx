/** The filter in MLflow's language, with what may come next and what is wrong with it. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunColumn, RunRow } from '../api';
import { complete, type ICompletion } from './filter';

export function FilterBar(props: {
  value: string;
  columns: readonly RunColumn[];
  /** Those whose values are proposed. */
  known: ReadonlyMap<string, RunRow>;
  /** The server's sentence on what it was asked last. */
  error: string | null;
  trans: TranslationBundle;
  onChange(filter: string): void;
}): React.ReactElement {
  const { trans } = props;
  const [text, setText] = React.useState(props.value);
  const [found, setFound] = React.useState<ICompletion | null>(null);
  const [at, setAt] = React.useState(-1);
  const input = React.useRef<HTMLInputElement>(null);
  const caret = React.useRef<number | null>(null);
  const id = React.useId();
  React.useEffect(() => setText(props.value), [props.value]);
  React.useLayoutEffect(() => {
    if (caret.current !== null) {
      input.current!.setSelectionRange(caret.current, caret.current);
      caret.current = null;
    }
  });
  const look = (value: string, place: number) => {
    const completion = complete(value, place, props.columns, props.known.values());
    setFound(completion.options.length ? completion : null);
    setAt(-1);
  };
  const take = (index: number) => {
    if (!found?.options[index]) {
      return;
    }
    const { from, to, options } = found;
    const head = `${text.slice(0, from)}${options[index].text} `;
    const value = head + text.slice(to).trimStart();
    caret.current = head.length;
    setText(value);
    look(value, head.length);
  };
  const submit = () => {
    setFound(null);
    props.onChange(text);
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLInputElement>) => {
    const count = found?.options.length ?? 0;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!found) {
        look(text, input.current!.selectionStart ?? text.length);
      } else {
        const step = event.key === 'ArrowDown' ? 1 : -1;
        setAt((at + step + count + (at < 0 && step < 0 ? 1 : 0)) % count);
      }
    } else if (event.key === 'Tab' && found && !event.shiftKey) {
      event.preventDefault();
      take(Math.max(0, at));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (found && at >= 0) {
        take(at);
      } else {
        submit();
      }
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      setFound(null);
    }
  };
  React.useEffect(() => {
    document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: 'nearest' });
  }, [at]);
  return (
    <div className="jp-perijove-filterbar">
      <div>
        <input
          ref={input}
          type="text"
          className={`jp-mod-styled${props.error ? ' jp-mod-error' : ''}`}
          role="combobox"
          aria-label={trans.__('Filter runs')}
          aria-expanded={Boolean(found)}
          aria-controls={found ? `${id}-list` : undefined}
          aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
          aria-invalid={Boolean(props.error)}
          placeholder={trans.__('Filter, e.g. %1', "metrics.auc > 0.9 AND params.depth = '8'")}
          spellCheck={false}
          autoComplete="off"
          value={text}
          onChange={event => {
            setText(event.target.value);
            if (event.target.value) {
              look(event.target.value, event.target.selectionStart ?? 0);
            } else {
              // nothing stands before the runs that come back
              setFound(null);
              props.onChange('');
            }
          }}
          onClick={event => look(text, event.currentTarget.selectionStart ?? 0)}
          onBlur={() => setFound(null)}
          onKeyDown={onKeyDown}
        />
        {found && (
          <ul id={`${id}-list`} role="listbox">
            {found.options.map((option, index) => (
              <li
                key={option.text}
                id={`${id}-${index}`}
                role="option"
                aria-selected={index === at}
                onMouseDown={event => {
                  event.preventDefault();
                  take(index);
                }}
              >
                <span>{option.text}</span> <small>{option.note}</small>
              </li>
            ))}
          </ul>
        )}
      </div>
      {props.error && (
        <p className="jp-perijove-error" role="alert">
          {props.error}
        </p>
      )}
    </div>
  );
}
