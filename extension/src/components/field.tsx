/** A labelled field with its type, a note, and what is wrong with it. */
import * as React from 'react';

import { Select } from './select';

export interface IFieldProps {
  label: string;
  value: string;
  hint?: string;
  note?: string;
  error?: string;
  placeholder?: string;
  /** Are there several lines? */
  multiline?: boolean;
  /** A closed choice. */
  options?: string[];
  /** How an option is shown. */
  describe?(option: string): string;
  /** An open choice. */
  proposals?: string[];
  onChange(value: string): void;
}

export function Field(props: IFieldProps): React.ReactElement {
  const id = React.useId();
  const described = props.error || props.note ? `${id}-note` : undefined;
  const common = {
    id,
    className: `jp-mod-styled${props.error ? ' jp-mod-error' : ''}`,
    'aria-invalid': Boolean(props.error),
    'aria-describedby': described
  };
  const options = props.options?.includes(props.value)
    ? props.options
    : props.options && [props.value, ...props.options];
  return (
    <div className="jp-perijove-field">
      <label htmlFor={id}>
        {props.label} {props.hint && <span>{props.hint}</span>}
      </label>
      <div>
        {options ? (
          <Select
            {...common}
            value={props.value}
            onChange={event => props.onChange(event.target.value)}
          >
            {options.map(option => (
              <option key={option} value={option}>
                {props.describe ? props.describe(option) : option}
              </option>
            ))}
          </Select>
        ) : props.multiline ? (
          <textarea
            {...common}
            rows={Math.min(6, Math.max(2, props.value.split('\n').length))}
            value={props.value}
            placeholder={props.placeholder}
            spellCheck={false}
            onChange={event => props.onChange(event.target.value)}
          />
        ) : (
          <input
            {...common}
            type="text"
            value={props.value}
            placeholder={props.placeholder}
            spellCheck={false}
            autoComplete="off"
            list={props.proposals ? `${id}-list` : undefined}
            onChange={event => props.onChange(event.target.value)}
          />
        )}
        {props.proposals && (
          <datalist id={`${id}-list`}>
            {props.proposals.map(proposal => (
              <option key={proposal} value={proposal} />
            ))}
          </datalist>
        )}
        {props.error ? (
          <p id={described} className="jp-perijove-error" role="alert">
            {props.error}
          </p>
        ) : (
          props.note && (
            <p id={described} className="jp-perijove-note">
              {props.note}
            </p>
          )
        )}
      </div>
    </div>
  );
}
