/** Tags that are edited where they are shown. */
import { TranslationBundle } from '@jupyterlab/translation';
import { addIcon, closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { onEscape } from '../components/escape';

export function Tags(props: {
  tags: Record<string, string>;
  trans: TranslationBundle;
  /** Null removes one. */
  onChange(tags: Record<string, string | null>): Promise<boolean>;
}): React.ReactElement {
  const { tags, trans, onChange } = props;
  const [editing, setEditing] = React.useState<string | null>(null);
  const add = trans.__('Add tag');
  const save = async (before: string, key: string, value: string) => {
    if (!key.trim()) {
      setEditing(null);
      return;
    }
    const change: Record<string, string | null> = { [key.trim()]: value };
    if (before && before !== key.trim()) {
      change[before] = null;
    }
    if (await onChange(change)) {
      setEditing(null);
    }
  };
  return (
    <div className="jp-perijove-modeltags">
      {Object.entries(tags).map(([key, value]) =>
        editing === key ? (
          <TagInput
            key={key}
            name={key}
            value={value}
            trans={trans}
            onCancel={() => setEditing(null)}
            onSave={(name, text) => void save(key, name, text)}
          />
        ) : (
          <span key={key} className="jp-perijove-tag">
            <button title={trans.__('Edit the tag %1', key)} onClick={() => setEditing(key)}>
              <bdi>{key}</bdi>: <bdi>{value}</bdi>
            </button>
            <button
              title={trans.__('Remove the tag %1', key)}
              aria-label={trans.__('Remove the tag %1', key)}
              onClick={() => void onChange({ [key]: null })}
            >
              <closeIcon.react tag="span" width="12px" height="12px" />
            </button>
          </span>
        )
      )}
      {editing === '' ? (
        <TagInput
          name=""
          value=""
          trans={trans}
          onCancel={() => setEditing(null)}
          onSave={(name, text) => void save('', name, text)}
        />
      ) : (
        <button className="jp-perijove-tag-add" onClick={() => setEditing('')}>
          <addIcon.react tag="span" width="12px" height="12px" /> {add}
        </button>
      )}
    </div>
  );
}

function TagInput(props: {
  name: string;
  value: string;
  trans: TranslationBundle;
  onSave(name: string, value: string): void;
  onCancel(): void;
}): React.ReactElement {
  const { trans } = props;
  const [name, setName] = React.useState(props.name);
  const [value, setValue] = React.useState(props.value);
  return (
    <form
      className="jp-perijove-tag jp-mod-editing"
      onSubmit={event => {
        event.preventDefault();
        props.onSave(name, value);
      }}
      onKeyDown={onEscape(props.onCancel)}
    >
      <input
        className="jp-mod-styled"
        autoFocus={!props.name}
        aria-label={trans.__('Tag')}
        placeholder={trans.__('tag')}
        value={name}
        onChange={event => setName(event.target.value)}
      />
      <input
        className="jp-mod-styled"
        autoFocus={Boolean(props.name)}
        aria-label={trans.__('Value')}
        placeholder={trans.__('value')}
        value={value}
        onChange={event => setValue(event.target.value)}
      />
      <button type="submit" className="jp-Button jp-mod-styled jp-mod-minimal">
        {trans.__('Save')}
      </button>
    </form>
  );
}
