/** A form in a dialog: what it asks, what the server refused and at which field. */
import { Dialog, Notification, ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { ApiError } from '../api';

/** Show a form until it is `done`; null when it was dismissed. */
export function formDialog<T>(
  title: string,
  form: (done: (value: T | null) => void) => React.ReactElement
): Promise<T | null> {
  return new Promise(resolve => {
    const body = new Body(
      form(value => {
        resolve(value);
        dialog.dispose();
      })
    );
    const dialog = new Dialog<unknown>({ title, body, buttons: [], focusNodeSelector: 'input' });
    dialog.addClass('jp-perijove-dialog');
    dialog.launch().then(
      () => resolve(null),
      () => resolve(null)
    );
  });
}

class Body extends ReactWidget {
  constructor(private _form: React.ReactElement) {
    super();
  }

  getValue(): null {
    return null;
  }

  protected render(): React.ReactElement {
    return this._form;
  }
}

export interface IRefusal {
  /** The field as the hub names it: `body.parameters.depth`. */
  path: string | null;
  /** Its last part. */
  field: string | null;
  text: string;
}

/** Sends a form, and keeps what was refused until something is changed. One that was closed before
 * its answer came says it in a notification. */
export function useSubmit(send: () => Promise<void>): {
  busy: boolean;
  refused: IRefusal | null;
  clear(): void;
  submit(event: React.FormEvent): void;
} {
  const [busy, setBusy] = React.useState(false);
  const [refused, setRefused] = React.useState<IRefusal | null>(null);
  const isOpen = React.useRef(true);
  React.useEffect(() => () => void (isOpen.current = false), []);
  const form = React.useRef<Element | null>(null);
  React.useEffect(() => {
    // the button could not be pressed meanwhile, so that it lost the focus
    if (refused && !form.current?.contains(document.activeElement)) {
      form.current?.querySelector<HTMLElement>('[aria-invalid="true"], [type="submit"]')?.focus();
    }
  }, [refused]);
  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    if (busy) {
      return;
    }
    form.current = event.currentTarget;
    setBusy(true);
    setRefused(null);
    try {
      await send();
    } catch (error) {
      if (!isOpen.current) {
        Notification.error(refusal(error).text, { autoClose: false });
        return;
      }
      setRefused(refusal(error));
      setBusy(false);
    }
  };
  return {
    busy,
    refused,
    clear: () => setRefused(null),
    submit: event => void submit(event)
  };
}

/** The last part of the field's path, and the sentence without it: it stands at the field. */
export function refusal(error: unknown): IRefusal {
  if (!(error instanceof ApiError)) {
    return { path: null, field: null, text: String(error) };
  }
  const { field, text } = error;
  const isNamed = field !== null && text.startsWith(`${field}: `);
  return {
    path: field,
    field: field?.split('.').pop() ?? null,
    text: isNamed ? text.slice(field.length + 2) : text
  };
}

/** What is seldom needed: closed until it is opened, or something in it is wrong. */
export function Disclosure(props: {
  label: string;
  show: boolean;
  children: React.ReactNode;
}): React.ReactElement {
  const [open, setOpen] = React.useState(props.show);
  React.useEffect(() => {
    if (props.show) {
      setOpen(true);
    }
  }, [props.show]);
  return (
    <details open={open} onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{props.label}</summary>
      {props.children}
    </details>
  );
}

/** The end of every form: what was refused and has no field, and the two buttons. */
export function FormFooter(props: {
  label: string;
  refused?: string;
  disabled: boolean;
  trans: TranslationBundle;
  onCancel(): void;
}): React.ReactElement {
  return (
    <>
      {props.refused && (
        <p className="jp-perijove-error" role="alert">
          {props.refused}
        </p>
      )}
      <footer>
        <button
          type="button"
          className="jp-Button jp-mod-styled jp-mod-reject"
          onClick={props.onCancel}
        >
          {props.trans.__('Cancel')}
        </button>
        <button
          type="submit"
          className="jp-Button jp-mod-styled jp-mod-accept"
          disabled={props.disabled}
        >
          {props.label}
        </button>
      </footer>
    </>
  );
}
