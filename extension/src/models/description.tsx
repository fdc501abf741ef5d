/** A description in Markdown, edited where it is shown. */
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import { editIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Markdown } from '../components/rendered';

export function Description(props: {
  text: string;
  /** Is it wanted to be edited at once? */
  editing?: boolean;
  rendermime: IRenderMimeRegistry;
  trans: TranslationBundle;
  onSave(text: string): Promise<boolean>;
}): React.ReactElement {
  const { text, trans } = props;
  const [draft, setDraft] = React.useState<string | null>(props.editing ? text : null);
  const edit = trans.__('Edit description');
  if (draft !== null) {
    return (
      <form
        className="jp-perijove-description jp-mod-editing"
        onSubmit={async event => {
          event.preventDefault();
          if (await props.onSave(draft)) {
            setDraft(null);
          }
        }}
        onKeyDown={event => {
          if (event.key === 'Escape') {
            event.stopPropagation();
            setDraft(null);
          } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            event.currentTarget.requestSubmit();
          }
        }}
      >
        <textarea
          className="jp-mod-styled"
          rows={6}
          autoFocus={true}
          aria-label={trans.__('Description')}
          placeholder={trans.__('Markdown')}
          value={draft}
          onChange={event => setDraft(event.target.value)}
        />
        <div className="jp-perijove-verbs">
          <button
            type="button"
            className="jp-Button jp-mod-styled jp-mod-reject"
            onClick={() => setDraft(null)}
          >
            {trans.__('Cancel')}
          </button>
          <button type="submit" className="jp-Button jp-mod-styled jp-mod-accept">
            {trans.__('Save')}
          </button>
        </div>
      </form>
    );
  }
  return (
    <div className="jp-perijove-description">
      {text ? (
        <Markdown source={text} rendermime={props.rendermime} trans={props.trans} />
      ) : (
        <p className="jp-perijove-hint">{trans.__('No description.')}</p>
      )}
      <button title={edit} aria-label={edit} onClick={() => setDraft(text)}>
        <editIcon.react tag="span" width="14px" height="14px" />
      </button>
    </div>
  );
}
